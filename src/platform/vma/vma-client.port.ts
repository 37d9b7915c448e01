import type { ChangeTracking } from '#domain/backup/disk-mode';
import type { AgentWays } from '#domain/backup/effects';
import type { VmDisk, VmNetwork } from '#domain/inventory/vm-context';

/** A VM as an agent describes it; all text is from outside and was only checked for its type and length. */
export interface FoundVm {
  /** BIOS UUID; clones share it. */
  readonly id: string;
  readonly name: string;
  /** Inventory path, unique in a vCenter. */
  readonly path: string;
  readonly guestOs: string;
  readonly powerState: string;
  readonly memoryMb: number;
  readonly cpuCount: number;
  readonly vmxVersion: string;
  readonly disks: readonly VmDisk[];
  readonly networks: readonly VmNetwork[];
}

/** A vCenter account, opened for one call. */
export interface VcenterAccount {
  readonly vcenterHost: string;
  readonly username: string;
  readonly password: string;
  readonly datacenter: string;
}

/** One backup as the agent is told it (contract-c 5.6, with `disks[]` beside the legacy fields). */
export interface BackupOrder {
  readonly jobId: string;
  readonly vmName: string;
  readonly vmPath: string;
  readonly account: VcenterAccount;
  readonly disks: readonly {
    readonly deviceKey: number;
    /** `nbd://127.0.0.1:<port>/<export>` as seen from OMA; the agent's tunnel ends there. */
    readonly nbdUrl: string;
    readonly sizeBytes: number;
    /** Copy what changed since; null: copy everything. */
    readonly baseChangeId: string | null;
  }[];
}

/** A disk as its vCenter knows it now. */
export interface DiskNow {
  readonly sizeBytes: number;
  /** Whether what changed since the base can still be told. */
  readonly changeTracking: ChangeTracking;
}

/** What an agent read from a source disk, in rising order and cut at multiples of 4 MiB. */
export type SourceRange =
  | { readonly offset: number; readonly length: number; readonly sha256: string }
  | { readonly offset: number; readonly length: number; readonly zero: true };

/** How far an agent is with a job, by its own account. */
export interface AgentProgress {
  readonly bytesTransferred: number | null;
  readonly totalBytes: number | null;
  readonly status: 'running' | 'completed' | 'failed';
  /** The agent's own words for why it failed; hostile text. */
  readonly error: string | null;
  /** The last error it remembers, also of a job that it calls completed; hostile text. */
  readonly lastError: string | null;
  readonly disks: readonly {
    readonly deviceKey: number;
    readonly bytesTransferred: number;
    readonly totalBytes: number;
    readonly changeId: string | null;
    /** null when it doesn't say. */
    readonly mode: 'full' | 'incremental' | null;
    readonly baseChangeId: string | null;
    /** The agent says that this disk failed. */
    readonly failed: boolean;
  }[];
}

/**
 * The agent beside a vCenter (contract-a 17). Every call has a deadline of its own, and answers are checked before they
 * are believed. Throws VmaAway (nobody answers in time), VmaTalksNonsense (an answer that can't be understood) or
 * VmaRefuses (it answered that it won't or can't).
 */
export abstract class VmaClient {
  /** Resolves, with what it can do, when the agent says that it is healthy. */
  abstract check(signal?: AbortSignal): Promise<AgentWays>;
  /**
   * All disks of a VM as they are now, by device key, with the tracking of those asked about; null when the agent has no
   * such question.
   */
  abstract preflight(
    vmPath: string,
    account: VcenterAccount,
    disks: readonly { readonly deviceKey: number; readonly baseChangeId: string | null }[],
  ): Promise<ReadonlyMap<number, DiskNow> | null>;
  abstract discover(account: VcenterAccount, filter: string | null): Promise<readonly FoundVm[]>;
  abstract startBackup(order: BackupOrder, signal?: AbortSignal): Promise<void>;
  /** null when the agent doesn't know the job. */
  abstract progress(jobId: string, signal?: AbortSignal): Promise<AgentProgress | null>;
  /** Tells the agent to give up; false when it doesn't know the job or can't be told. */
  abstract stopBackup(jobId: string, signal?: AbortSignal): Promise<boolean>;
  /** What the agent read of one disk of a completed job; null when it doesn't know or doesn't offer it. */
  abstract sourceRanges(
    jobId: string,
    deviceKey: number,
    signal: AbortSignal,
  ): Promise<AsyncIterable<SourceRange> | null>;
}
