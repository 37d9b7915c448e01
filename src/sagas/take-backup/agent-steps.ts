import type { BackupPlan, PlannedDisk } from '#domain/backup/backup-plan';
import type { AgentWays, FollowedDisk } from '#domain/backup/effects';
import type { Results, Step } from '#domain/kernel/sequence';

import { COPY_SECONDS, effect, exportIdOf, LOCAL, ONCE } from './step-effects.js';

/**
 * The undo stands here and not at `agent`, because undoing goes backwards: first the exports end, so that nobody can
 * write any more, and only then the agent is told.
 */
export function agentCheck(plan: BackupPlan): Step {
  const resource = `agent:${plan.jobId}`;
  return {
    effect: effect(
      'agent.check',
      { agent: plan.agent },
      { step: 'agent-check', title: 'Ask whether the agent answers', resource },
    ),
    undo: effect(
      'agent.stop',
      { agent: plan.agent, jobId: plan.jobId, diskIds: plan.disks.map((disk) => disk.diskId) },
      { step: 'agent-stop', title: 'Tell the agent to give up', resource, retry: LOCAL },
    ),
  };
}

export function agentStart(plan: BackupPlan, results: Results): Step {
  const disks = plan.disks.map((disk) => ({ ...followed(disk), exportId: exportIdOf(plan, disk) }));
  const { agent, jobId, vmName, vmPath, credentialId } = plan;
  const { together } = waysOf(results);
  return {
    effect: effect(
      'agent.start',
      { agent, together, jobId, vmName, vmPath, credentialId, disks },
      { step: 'agent', title: 'Tell the agent to copy', resource: `agent:${jobId}`, timeoutSeconds: 60 },
    ),
  };
}

export function agentFollow(plan: BackupPlan, results: Results): Step {
  const disks = plan.disks.map(followed);
  const { agent, jobId, credentialId } = plan;
  const { together } = waysOf(results);
  return {
    effect: effect(
      'agent.follow',
      { agent, together, jobId, credentialId, disks },
      {
        step: 'copy',
        title: 'Copy the disks',
        resource: `agent:${plan.jobId}`,
        timeoutSeconds: COPY_SECONDS,
        retry: ONCE,
      },
    ),
  };
}

/** Until it was asked, an agent is taken for one of the first generation. */
export function waysOf(results: Results): AgentWays {
  return (results['agent-check'] as AgentWays | undefined) ?? { together: false, hashes: false };
}

function followed({ diskId, deviceKey, sizeBytes, mode }: PlannedDisk): FollowedDisk {
  return { diskId, deviceKey, sizeBytes, baseChangeId: mode.is === 'incremental' ? mode.parent.changeId : null };
}
