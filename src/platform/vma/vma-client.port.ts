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
  }[];
}

/** How far an agent is with a job, by its own account. */
export interface AgentProgress {
  readonly status: 'running' | 'completed' | 'failed';
  /** The agent's own words for why it failed; hostile text. */
  readonly error: string | null;
  readonly disks: readonly {
    readonly deviceKey: number;
    readonly bytesTransferred: number;
    readonly totalBytes: number;
    readonly changeId: string | null;
    readonly complete: boolean;
  }[];
}

/**
 * The agent beside a vCenter (contract-a 17). Every call has a deadline of its own, and answers are checked before they
 * are believed. Throws VmaAway (nobody answers in time), VmaTalksNonsense (an answer that can't be understood) or
 * VmaRefuses (it answered that it won't or can't).
 */
export abstract class VmaClient {
  /** Resolves when the agent says that it is healthy. */
  abstract check(signal?: AbortSignal): Promise<void>;
  abstract discover(account: VcenterAccount, filter: string | null): Promise<readonly FoundVm[]>;
  abstract startBackup(order: BackupOrder, signal?: AbortSignal): Promise<void>;
  /** null when the agent doesn't know the job. */
  abstract progress(jobId: string, signal?: AbortSignal): Promise<AgentProgress | null>;
  /** Tells the agent to give up; false when it doesn't know the job or can't be told. */
  abstract stopBackup(jobId: string, signal?: AbortSignal): Promise<boolean>;
}
