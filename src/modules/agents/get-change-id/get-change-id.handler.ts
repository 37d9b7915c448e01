import { type IQueryHandler, Query, QueryHandler } from '@nestjs/cqrs';

import { readAgentJobId } from '#domain/backup/agent-job';
import { DiskNotInJob } from '#domain/backup/backup.errors';
import type { BackupPlan } from '#domain/backup/backup-plan';
import { Views } from '#platform/database/views';
import { VmDirectory } from '#projections/inventory/vm.directory';

import { OpenJobs } from '../open-jobs.js';
import type { GetChangeIdRequest } from './get-change-id.request.js';
import type { BaseChangeIdResponse } from './get-change-id.response.js';

export class GetChangeId extends Query<BaseChangeIdResponse> {
  constructor(
    readonly request: GetChangeIdRequest,
    readonly agent: string,
  ) {
    super();
  }
}

/** Answers out of the plan of the open job and nothing else: no other backup's bookmark is ever a base for this one. */
@QueryHandler(GetChangeId)
export class GetChangeIdHandler implements IQueryHandler<GetChangeId> {
  private readonly directory: VmDirectory;

  constructor(
    private readonly jobs: OpenJobs,
    views: Views,
  ) {
    this.directory = new VmDirectory(views);
  }

  async execute({ request, agent }: GetChangeId): Promise<BaseChangeIdResponse> {
    const { vm_name: vmName, disk_id: diskId } = request;
    const plan = await this.planOf(request, agent);
    const about = { vm_name: vmName, disk_id: String(diskId) };
    if (plan === null) return { ...about, change_id: '', message: 'no backup of this VM is under way' };
    const disk = plan.disks.find((one) => one.diskId === diskId);
    if (disk === undefined) throw new DiskNotInJob(plan.jobId);
    if (disk.mode.is === 'full') {
      return { ...about, change_id: '', backup_job_id: plan.jobId, message: 'the whole disk is to be copied' };
    }
    const { changeId } = disk.mode.parent;
    return { ...about, change_id: changeId, backup_job_id: plan.jobId, message: 'what changed since is to be copied' };
  }

  /** An agent that names its job is answered out of that one, or refused: never out of another that came after it. */
  private async planOf(request: GetChangeIdRequest, agent: string): Promise<BackupPlan | null> {
    const { vm_name: ref, job_id: said, disk_id: wanted } = request;
    if (said === undefined) return this.jobs.ofVm(agent, (await this.directory.resolve(ref)).contextId);
    const { jobId, diskId } = readAgentJobId(said);
    const plan = await this.jobs.of(agent, jobId);
    if (![plan.vmName, plan.contextId].includes(ref) || (diskId ?? wanted) !== wanted) throw new DiskNotInJob(jobId);
    return plan;
  }
}
