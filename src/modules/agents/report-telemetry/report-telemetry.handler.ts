import { Command, CommandHandler, type ICommandHandler } from '@nestjs/cqrs';

import { readAgentJobId } from '#domain/backup/agent-job';
import { UnknownBackup } from '#domain/backup/backup.errors';
import type { BackupPlan } from '#domain/backup/backup-plan';
import { Clock } from '#platform/clock/clock.port';
import { BackupProgress } from '#platform/vma/backup-progress';

import { OpenJobs } from '../open-jobs.js';
import type { TelemetryTakenResponse } from './report-telemetry.response.js';
import type { DiskTelemetryRequest, TelemetryRequest } from './telemetry.request.js';

export class ReportTelemetry extends Command<TelemetryTakenResponse> {
  constructor(
    readonly jobType: string,
    readonly agentJobId: string,
    readonly request: TelemetryRequest,
    readonly agent: string,
  ) {
    super();
  }
}

type Account = { readonly deviceKey: number; readonly bytes: number; readonly total: number | null };

/** Telemetry is for those who watch: nothing follows from it, so an untrue report can't complete or fail a job. */
@CommandHandler(ReportTelemetry)
export class ReportTelemetryHandler implements ICommandHandler<ReportTelemetry> {
  constructor(
    private readonly jobs: OpenJobs,
    private readonly progress: BackupProgress,
    private readonly clock: Clock,
  ) {}

  async execute({ jobType, agentJobId, request, agent }: ReportTelemetry): Promise<TelemetryTakenResponse> {
    if (jobType !== 'backup') throw new UnknownBackup(agentJobId);
    const { jobId, diskId } = readAgentJobId(agentJobId);
    const plan = await this.jobs.of(agent, jobId);
    const accounts = accountsOf(plan, diskId, request);
    for (const { deviceKey, bytes, total } of accounts) {
      await this.progress.record(jobId, deviceKey, { bytesTransferred: bytes, bytesToCopy: total });
    }
    const message = `${accounts.length} disks were taken down`;
    return { status: 'success', message, timestamp: this.clock.now().toISOString() };
  }
}

/** Of the disks that the job has; nobody copies more than a disk holds. */
function accountsOf(plan: BackupPlan, diskId: number | null, request: TelemetryRequest): readonly Account[] {
  const disks = diskId === null ? plan.disks : plan.disks.filter((disk) => disk.diskId === diskId);
  const isOnly = disks.length === 1 && (request.disks ?? []).length === 0;
  return disks.flatMap(({ diskId: id, deviceKey, sizeBytes }) => {
    const said = ofDisk(id, deviceKey, request) ?? (isOnly ? request : undefined);
    if (said?.bytes_transferred === undefined) return [];
    const total = said.total_bytes ?? 0;
    const isPlausible = diskId === null && total > 0 && total <= sizeBytes;
    return [{ deviceKey, bytes: Math.min(said.bytes_transferred, sizeBytes), total: isPlausible ? total : null }];
  });
}

/** The key is the disk's identity; an index beside it may be the agent's own count. */
function ofDisk(diskId: number, deviceKey: number, { disks = [] }: TelemetryRequest): DiskTelemetryRequest | undefined {
  return (
    disks.find((one) => one.device_key === deviceKey) ??
    disks.find((one) => one.device_key === undefined && one.disk_index === diskId)
  );
}
