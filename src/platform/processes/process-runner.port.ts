import type { Readable } from 'node:stream';

/** One run of a system program: an argument array, never a shell line; secrets only by stdin or environment. */
export interface ProgramCall {
  readonly program: string;
  readonly args: readonly string[];
  readonly timeoutSeconds: number;
  readonly signal?: AbortSignal;
  readonly stdin?: string;
  readonly environment?: Readonly<Record<string, string>>;
  readonly cwd?: string;
}

export interface ProgramResult {
  /** null when the program was ended by a signal. */
  readonly exitCode: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** A program that goes on living after the call, also after this process: it is found again by pid and start time. */
export interface DaemonIdentity {
  readonly pid: number;
  /** Field 22 of /proc/PID/stat: with the pid it names one process of one boot. */
  readonly startTicks: number;
}

/** A program whose output is read while it runs. */
export interface RunningProgram {
  readonly stdout: Readable;
  /** Resolves when it is gone, whatever ended it. */
  readonly ended: Promise<{ readonly exitCode: number | null; readonly stderr: string }>;
  /** Ends its whole process group at once; harmless when it is gone. */
  kill(): void;
}

/**
 * Runs system programs. `run` waits; it kills the whole process group on timeout and abort, and throws
 * ProgramTimedOut / ProgramNotFound, at most 2 seconds later also where the kernel keeps a killed program from ending. A non-zero exit code is an answer, not an error. `spawnDaemon` starts a program in a
 * session of its own, its output in `logFile`.
 */
export abstract class ProcessRunner {
  abstract run(call: ProgramCall): Promise<ProgramResult>;
  /** Starts a program to read from; it lives until it ends or is killed. */
  abstract pipe(call: Omit<ProgramCall, 'timeoutSeconds' | 'signal'>): RunningProgram;
  abstract spawnDaemon(call: {
    readonly program: string;
    readonly args: readonly string[];
    readonly logFile: string;
  }): Promise<DaemonIdentity>;
  abstract isAlive(daemon: DaemonIdentity): Promise<boolean>;
  /**
   * SIGTERM, then SIGKILL to its group after the grace; resolves when it is gone. The exit code is known only for own
   * children; `killed` tells that the grace ran out. Throws DaemonHangs.
   */
  abstract stopDaemon(
    daemon: DaemonIdentity,
    graceSeconds: number,
  ): Promise<{ readonly exitCode: number | null; readonly killed: boolean }>;
}

/** A killed daemon is still there: the kernel keeps it as long as it waits for storage that hangs. */
export class DaemonHangs extends Error {
  override readonly name = 'DaemonHangs';
}

/** The output of a program was larger than any answer that OMA expects. */
export class ProgramOutputTooLarge extends Error {
  override readonly name = 'ProgramOutputTooLarge';
}

export class ProgramTimedOut extends Error {
  override readonly name = 'ProgramTimedOut';
}

export class ProgramNotFound extends Error {
  override readonly name = 'ProgramNotFound';
}
