import type { BackupPlan, PlannedDisk } from '#domain/backup/backup-plan';
import type { AgentWays, BackupEffects, FollowedDisk } from '#domain/backup/effects';
import type { Results, Step } from '#domain/kernel/sequence';

import { COPY_SECONDS, effect, exportIdOf, LOCAL, ONCE } from './step-effects.js';

/**
 * The undo stands here and not at `agent`, because undoing goes backwards: first the exports end, so that nobody can
 * write any more, and only then the agent is told. One that never said that it is there has nothing to give up.
 */
export function agentCheck(plan: BackupPlan, results: Results): Step {
  const resource = `agent:${plan.jobId}`;
  const isThere = results['agent-check'] !== undefined;
  return {
    effect: effect(
      'agent.check',
      { agent: plan.agent },
      { step: 'agent-check', title: 'Ask whether the agent answers', resource },
    ),
    ...(isThere && {
      undo: effect(
        'agent.stop',
        { agent: plan.agent, jobId: plan.jobId, diskIds: plan.disks.map((disk) => disk.diskId) },
        { step: 'agent-stop', title: 'Tell the agent to give up', resource, retry: LOCAL },
      ),
    }),
  };
}

/**
 * All disks at once, by an agent that takes them so, as one is thought to until it was asked. One of the first generation gets a job per disk, and one job after
 * another: each of its jobs removes the snapshots of all others of the VM when it begins (contract-c 6.2).
 */
export function agentCopies(plan: BackupPlan, results: Results): readonly (readonly Step[])[] {
  const [first, ...others] = plan.disks;
  const isTogether = results['agent-check'] === undefined || waysOf(results).together;
  if (first === undefined || isTogether) return copyOf(plan, plan.disks, '', results);
  return [
    ...copyOf(plan, [first], '', results),
    ...others.flatMap((disk) => copyOf(plan, [disk], `:${disk.deviceKey}`, results)),
  ];
}

/** What became of the copies: of all disks, whatever their number of jobs. */
export function copiedDisks(plan: BackupPlan, results: Results): BackupEffects['agent.follow']['result']['disks'] {
  const steps = ['', ...plan.disks.map(({ deviceKey }) => `:${deviceKey}`)].map((which) => results[`copy${which}`]);
  return steps.flatMap((result) => (result as BackupEffects['agent.follow']['result'] | undefined)?.disks ?? []);
}

function copyOf(
  plan: BackupPlan,
  disks: readonly PlannedDisk[],
  which: string,
  results: Results,
): readonly (readonly Step[])[] {
  return [[agentStart(plan, disks, which, results)], [agentFollow(plan, disks, which, results)]];
}

function agentStart(plan: BackupPlan, some: readonly PlannedDisk[], which: string, results: Results): Step {
  const disks = some.map((disk) => ({ ...followed(disk), exportId: exportIdOf(plan, disk) }));
  const { agent, jobId, vmName, vmPath, credentialId } = plan;
  const { together } = waysOf(results);
  return {
    effect: effect(
      'agent.start',
      { agent, together, jobId, vmName, vmPath, credentialId, disks },
      {
        step: `agent${which}`,
        title: `Tell the agent to copy${ofDisk(some, which)}`,
        resource: `agent:${jobId}`,
        timeoutSeconds: 60,
      },
    ),
  };
}

function agentFollow(plan: BackupPlan, some: readonly PlannedDisk[], which: string, results: Results): Step {
  const disks = some.map(followed);
  const { agent, jobId, credentialId } = plan;
  const slowestBytesPerSecond = slowestOf(plan);
  const { together } = waysOf(results);
  return {
    effect: effect(
      'agent.follow',
      { agent, together, jobId, credentialId, slowestBytesPerSecond, disks },
      {
        step: `copy${which}`,
        title: which === '' ? 'Copy the disks' : `Copy${ofDisk(some, which)}`,
        resource: `agent:${plan.jobId}`,
        timeoutSeconds: COPY_SECONDS,
        retry: ONCE,
      },
    ),
  };
}

function ofDisk([disk]: readonly PlannedDisk[], which: string): string {
  return which === '' ? '' : ` disk ${disk?.diskId ?? ''}`;
}

function slowestOf({ bandwidth: { jobBytesPerSecond, repositoryBytesPerSecond } }: BackupPlan): number | null {
  if (jobBytesPerSecond === null) return repositoryBytesPerSecond;
  return repositoryBytesPerSecond === null ? jobBytesPerSecond : Math.min(jobBytesPerSecond, repositoryBytesPerSecond);
}

/** Until it was asked, an agent is taken for one of the first generation. */
export function waysOf(results: Results): AgentWays {
  return (results['agent-check'] as AgentWays | undefined) ?? { together: false, hashes: false };
}

function followed({ diskId, deviceKey, sizeBytes, mode }: PlannedDisk): FollowedDisk {
  return { diskId, deviceKey, sizeBytes, baseChangeId: mode.is === 'incremental' ? mode.parent.changeId : null };
}
