/** How the double treats the next appends instead of answering them well; each kind for so many appends. */
export type AppendMisbehaviour =
  /** Stored, and then the connection's stream breaks: the answer is lost. */
  | 'stored-then-reset'
  /** Stored, and then no answer ever. */
  | 'stored-then-silence'
  /** Stored, and then the server says that it took too long. */
  | 'stored-then-timeout'
  /** Not stored, the stream breaks. */
  | 'reset'
  /** Not stored; the server says who the leader is, and everybody on the stream hears it. */
  | 'not-leader'
  /** Stored, and everybody on the stream is told that resources are exhausted. */
  | 'overload'
  /** Not stored, as just after a start. */
  | 'not-ready'
  /** Stored and answered, and answered again. */
  | 'answered-twice';

/** What a double was told to do wrong. */
export class Misbehaviour {
  private readonly appends: AppendMisbehaviour[] = [];
  /** As long as it is set nothing is answered. */
  hanging = false;
  /** Subscriptions stay open and bring nothing. */
  deaf = false;
  /** A subscription that resumes is given so many events again that it had before. */
  repeatsOnResume = 0;

  forAppends(count: number, kind: AppendMisbehaviour): void {
    for (let index = 0; index < count; index += 1) this.appends.push(kind);
  }

  nextAppend(): AppendMisbehaviour | null {
    return this.appends.shift() ?? null;
  }

  /** How many appends are still to be treated badly. */
  get left(): number {
    return this.appends.length;
  }
}
