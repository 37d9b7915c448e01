import { z } from 'zod';

const position = z.number().int().nonnegative();

/**
 * How the agent shall misbehave; nothing of it by default. Positions are bytes of the whole job: its disks one after
 * another, in the order in which they were ordered.
 */
export const misbehaviourSettings = z.strictObject({
  bytes_per_second: z.number().positive().optional(),
  /** The job fails there and says so. */
  fail_at_byte: position.optional(),
  /** The copy stands still there, for as long as this is set; the agent goes on answering. */
  hang_at_byte: position.optional(),
  /** The agent is gone from there on, and its jobs with it, as after a crash; 0 is at once, also without a job. */
  vanish_at_byte: position.optional(),
  slow_answer_ms: position.optional(),
  nonsense: z.enum(['not-json', 'wrong-types', 'html']).optional(),
  /** Device keys that the vCenter doesn't show: of disks that are attached later. */
  hide_disks: z.array(z.number().int()).optional(),
  /** Paths of VMs that the vCenter doesn't show, when it is asked which there are. */
  hide_vms: z.array(z.string()).optional(),
  /** Nothing is told of VMs and their disks; the text is the answer. */
  refuse_questions: z.string().optional(),
  /** Backups aren't started; the text is the answer. */
  refuse_start: z.string().optional(),
  /** Jobs start, but fail with this text before they connect to any export. */
  refuse_nbd: z.string().optional(),
  /** Connects to no export, has no hashes, and reports success. */
  never_connect: z.boolean().optional(),
  /** Writes a wrong byte there and reports success. */
  flip_byte_at: position.optional(),
  /** Reports the job as completed when only half of its bytes are written. */
  early_complete: z.boolean().optional(),
  /** Every disk claims to have had so many bytes, and to have copied them; its last window isn't written. */
  lie_about_bytes: position.optional(),
  /** Tells hashes of other data. */
  wrong_hashes: z.boolean().optional(),
  /** Offers no hashes and has none. */
  no_hashes: z.boolean().optional(),
  /** Writes behind the end of every export, and fails with the server's answer, or doesn't care for it. */
  write_outside: z.enum(['report', 'ignore']).optional(),
  /** Copies everything where an increment was ordered, and says so, or says it copied the increment. */
  wrong_mode: z.enum(['say so', 'lie']).optional(),
  /** Copies what changed since its own snapshot, which is nothing, and names that as base, or the ordered base. */
  wrong_base: z.enum(['say so', 'lie']).optional(),
  /** Tells OMA a change id that is none, or another one than it tells who asks. */
  wrong_change_id: z.enum(['malformed', 'another']).optional(),
  /** Doesn't write the first extent of an increment; counts and hashes it all the same. */
  skip_changed: z.boolean().optional(),
  /** Doesn't write the zeros of an increment; counts and hashes them all the same. */
  skip_zeros: z.boolean().optional(),
  /** Tells OMA that the disk with the next key is complete. */
  complete_wrong_disk: z.boolean().optional(),
  /** Tells OMA twice that a disk is complete, the second time with the same change id or another one. */
  complete_twice: z.enum(['same', 'otherwise']).optional(),
  /** Its telemetry counts down. */
  telemetry_backwards: z.boolean().optional(),
  /** All connections drop there; after so long the agent is back with its jobs, and they go on where they were. */
  die_and_return: z.strictObject({ at_byte: position, away_ms: position }).optional(),
});

export type MisbehaviourSettings = z.infer<typeof misbehaviourSettings>;

/** What a copy does at a position. */
export type Turn = 'go on' | 'end early' | 'vanish' | 'die';

/** A piece that is about to be written. */
interface Piece {
  readonly isIncrement: boolean;
  readonly isZero: boolean;
  readonly isFirstExtent: boolean;
  readonly isLastWindow: boolean;
}

/** The settings in force; they may change while jobs run. */
export class Misbehaviour {
  private current: MisbehaviourSettings = {};
  private vanished = false;
  private away: 'not yet' | 'away' | 'back' = 'not yet';
  private change = new AbortController();

  /** @param onGone called when the agent has to be gone: whoever serves drops all connections, and may have to forget all jobs. */
  constructor(private readonly onGone: (jobs: 'forget jobs' | 'keep jobs') => void) {}

  get settings(): MisbehaviourSettings {
    return this.current;
  }

  get isGone(): boolean {
    return this.vanished || this.away === 'away';
  }

  replace(settings: MisbehaviourSettings): void {
    this.current = settings;
    this.vanished = false;
    this.away = 'not yet';
    const change = this.change;
    this.change = new AbortController();
    change.abort();
    if (settings.vanish_at_byte === 0) this.vanish();
  }

  /** Resolves when the copy may go on at `at`; rejects when it fails there or `signal` is aborted. */
  async turn(at: number, total: number, signal: AbortSignal): Promise<Turn> {
    for (;;) {
      signal.throwIfAborted();
      const { vanish_at_byte, die_and_return, fail_at_byte, hang_at_byte, early_complete } = this.current;
      if (reached(at, vanish_at_byte)) {
        this.vanish();
        return 'vanish';
      }
      if (this.away === 'not yet' && reached(at, die_and_return?.at_byte)) {
        this.away = 'away';
        this.onGone('keep jobs');
        return 'die';
      }
      if (reached(at, fail_at_byte)) throw new Error(`reading the disk failed at byte ${at}`);
      if (early_complete === true && at >= half(total)) return 'end early';
      if (!reached(at, hang_at_byte)) return 'go on';
      await pause(Number.POSITIVE_INFINITY, [signal, this.change.signal]);
    }
  }

  /** How many of `wanted` bytes may be copied at once from `at`, so that every position is met exactly. */
  stride(at: number, wanted: number, total: number): number {
    const { vanish_at_byte, die_and_return, fail_at_byte, hang_at_byte, early_complete, bytes_per_second } =
      this.current;
    const middle = early_complete === true ? half(total) : undefined;
    const marks = [vanish_at_byte, die_and_return?.at_byte, fail_at_byte, hang_at_byte, middle];
    const distances = marks.flatMap((mark) => (mark !== undefined && mark > at ? [mark - at] : []));
    const tenthOfSecond = bytes_per_second === undefined ? wanted : Math.max(1, Math.floor(bytes_per_second / 10));
    return Math.min(wanted, tenthOfSecond, ...distances);
  }

  /** Takes the time that `bytes` take at the speed in force. */
  async keepPace(bytes: number, signal: AbortSignal): Promise<void> {
    const speed = this.current.bytes_per_second;
    if (speed !== undefined) await pause((bytes / speed) * 1000, [signal, this.change.signal]);
  }

  /** Takes the time an answer is to take. */
  async delayAnswer(): Promise<void> {
    const { slow_answer_ms } = this.current;
    if (slow_answer_ms !== undefined) await pause(slow_answer_ms, [this.change.signal]);
  }

  /** `bytes` from `at`; a copy with a bit turned, if they hold the position that was asked for. */
  spoiled(bytes: Buffer, at: number): Buffer {
    const index = (this.current.flip_byte_at ?? -1) - at;
    if (index < 0 || index >= bytes.length) return bytes;
    const spoiled = Buffer.from(bytes);
    spoiled.writeUInt8(spoiled.readUInt8(index) ^ 1, index);
    return spoiled;
  }

  /** Whether a piece isn't written, though the agent behaves as if it were. */
  omits({ isIncrement, isZero, isFirstExtent, isLastWindow }: Piece): boolean {
    const { lie_about_bytes, skip_changed, skip_zeros } = this.current;
    if (lie_about_bytes !== undefined && isLastWindow) return true;
    return isIncrement && ((skip_changed === true && isFirstExtent) || (skip_zeros === true && isZero));
  }

  /** Resolves when an agent that died is back; also when that setting ends. */
  async untilBack(signal: AbortSignal): Promise<void> {
    await pause(this.current.die_and_return?.away_ms ?? 0, [signal, this.change.signal]);
    if (this.away === 'away') this.away = 'back';
  }

  private vanish(): void {
    this.vanished = true;
    this.onGone('forget jobs');
  }
}

function reached(at: number, mark: number | undefined): boolean {
  return mark !== undefined && at >= mark;
}

function half(total: number): number {
  return Math.floor(total / 2);
}

/** Resolves after the time or as soon as one of the signals is aborted. */
function pause(milliseconds: number, signals: readonly AbortSignal[]): Promise<void> {
  return new Promise((resolve) => {
    const end = () => {
      clearTimeout(timer);
      for (const signal of signals) signal.removeEventListener('abort', end);
      resolve();
    };
    const timer = Number.isFinite(milliseconds) ? setTimeout(end, milliseconds) : undefined;
    for (const signal of signals) signal.addEventListener('abort', end);
    if (signals.some((signal) => signal.aborted)) end();
  });
}
