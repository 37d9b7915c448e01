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
  /** Stored or not, the stream breaks: the server says that something went wrong inside it. */
  | 'internal'
  | 'stored-then-internal'
  /** The same, and the server says no more than that it does not know. */
  | 'unknown'
  | 'stored-then-unknown'
  /** Stored or not, the server answers this append alone that it does not know. */
  | 'answered-unknown'
  | 'stored-then-answered-unknown'
  /** Stored and answered, and answered again. */
  | 'answered-twice'
  /** Stored and answered, but not where. */
  | 'answered-without-position';

/** How the double treats the next reads, subscriptions aside. */
export type ReadMisbehaviour =
  /** An error of the server's own, which looks just as a position does that is on no record. */
  | 'error'
  /** Another node is to be asked. */
  | 'unavailable'
  /** The connection's stream breaks after the first few events. */
  | 'broken-off';

/** Where a node listens. */
export interface Address {
  readonly host: string;
  readonly port: number;
}

/** What a double was told to do wrong. */
export class Misbehaviour {
  private readonly appends: AppendMisbehaviour[] = [];
  private readonly reads: ReadMisbehaviour[] = [];
  /** Who leads, when it is another node. */
  leader: Address | null = null;
  /** With these codes the next questions are answered about what the server can do, which a client asks once. */
  readonly featureFailures: number[] = [];
  /** So often the server says next that it knows of no batches of appends, as one from before 21.10 does. */
  withoutBatches = 0;
  /** So many bytes of data one append has at most; a server may be set up to take fewer. */
  maxAppendBytes = 1_048_576;
  /** As long as it is set nothing is answered. */
  hanging = false;
  /** Subscriptions stay open and bring nothing. */
  deaf = false;
  /** A subscription that resumes is given so many events again that it had before. */
  repeatsOnResume = 0;
  /** So many subscriptions are given up as too slow when they have caught up. */
  dropsAtSwitch = 0;

  forAppends(count: number, kind: AppendMisbehaviour): void {
    for (let index = 0; index < count; index += 1) this.appends.push(kind);
  }

  forReads(count: number, kind: ReadMisbehaviour): void {
    for (let index = 0; index < count; index += 1) this.reads.push(kind);
  }

  nextAppend(): AppendMisbehaviour | null {
    return this.appends.shift() ?? null;
  }

  nextRead(): ReadMisbehaviour | null {
    return this.reads.shift() ?? null;
  }

  /** How many appends are still to be treated badly. */
  get left(): number {
    return this.appends.length;
  }
}
