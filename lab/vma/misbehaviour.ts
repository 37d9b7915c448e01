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
  /** Backups aren't started; the text is the answer. */
  refuse_start: z.string().optional(),
  /** Jobs start, but fail with this text before they connect to any export. */
  refuse_nbd: z.string().optional(),
  /** Writes a wrong byte there and reports success. */
  flip_byte_at: position.optional(),
  /** Reports the job as completed when only half of its bytes are written. */
  early_complete: z.boolean().optional(),
});

export type MisbehaviourSettings = z.infer<typeof misbehaviourSettings>;

/** What a copy does at a position. */
export type Turn = 'go on' | 'end early' | 'vanish';

/** The settings in force; they may change while jobs run. */
export class Misbehaviour {
  private current: MisbehaviourSettings = {};
  private vanished = false;
  private change = new AbortController();

  /** @param onVanish called when the agent has to be gone: whoever serves drops all connections and forgets all jobs. */
  constructor(private readonly onVanish: () => void) {}

  get settings(): MisbehaviourSettings {
    return this.current;
  }

  get isGone(): boolean {
    return this.vanished;
  }

  replace(settings: MisbehaviourSettings): void {
    this.current = settings;
    this.vanished = false;
    const change = this.change;
    this.change = new AbortController();
    change.abort();
    if (settings.vanish_at_byte === 0) this.vanish();
  }

  /** Resolves when the copy may go on at `at`; rejects when it fails there or `signal` is aborted. */
  async turn(at: number, total: number, signal: AbortSignal): Promise<Turn> {
    for (;;) {
      signal.throwIfAborted();
      const { vanish_at_byte, fail_at_byte, hang_at_byte, early_complete } = this.current;
      if (reached(at, vanish_at_byte)) {
        this.vanish();
        return 'vanish';
      }
      if (reached(at, fail_at_byte)) throw new Error(`reading the disk failed at byte ${at}`);
      if (early_complete === true && at >= half(total)) return 'end early';
      if (!reached(at, hang_at_byte)) return 'go on';
      await pause(Number.POSITIVE_INFINITY, [signal, this.change.signal]);
    }
  }

  /** How many of `wanted` bytes may be copied at once from `at`, so that every position is met exactly. */
  stride(at: number, wanted: number, total: number): number {
    const { vanish_at_byte, fail_at_byte, hang_at_byte, early_complete, bytes_per_second } = this.current;
    const marks = [vanish_at_byte, fail_at_byte, hang_at_byte, early_complete === true ? half(total) : undefined];
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

  /** Turns a bit of the byte at the position that was asked for, if `bytes` from `at` hold it. */
  spoil(bytes: Buffer, at: number): void {
    const index = (this.current.flip_byte_at ?? -1) - at;
    if (index >= 0 && index < bytes.length) bytes.writeUInt8(bytes.readUInt8(index) ^ 1, index);
  }

  private vanish(): void {
    this.vanished = true;
    this.onVanish();
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
