import { jobEndOf } from '#domain/kernel/job-end';
import type { EffectRequest, RetryRule } from '#domain/kernel/saga';
import { type Ending, type Results, sequence, type Step } from '#domain/kernel/sequence';
import type { FoundPartition, RestoreEffects } from '#domain/restore/effects';
import type {
  MountCommand,
  MountedPartition,
  MountPlan,
  MountRequested,
  UnmountRequested,
} from '#domain/restore/mount';

import { commandEffect } from '../command-effect.js';

const LOCAL: RetryRule = { attempts: 3, baseMs: 100, maxMs: 1000 };
const STUBBORN: RetryRule = { attempts: 40, baseMs: 200, maxMs: 10_000 };
const SHORT_SECONDS = 30;
/** Replaying a large journal and opening a damaged filesystem may take their time. */
const FILESYSTEM_SECONDS = 300;
/** How often idleness is looked at, as a share of what is allowed. */
const CHECKS_PER_IDLE_TIME = 4;

/** Opens a restore point for browsing, holds it while it is used, and takes everything down again. */
export const restoreMountSaga = sequence<MountPlan>({
  name: 'restoremount',
  version: 1,
  listensTo: ['MountRequested', 'UnmountRequested'],
  correlate: (event) => ({
    id: (event.data as { mountId: string }).mountId,
    starts: event.type === 'MountRequested',
  }),
  start: (type, data) => (type === 'MountRequested' ? (data as MountRequested['data']) : null),
  stop: (type, data) =>
    type === 'UnmountRequested' ? { code: 'unmounted', message: (data as UnmountRequested['data']).why } : null,
  groups: (plan, results) => [
    [overlay(plan)],
    [exportOverlay(plan)],
    [disk(plan)],
    [inspect(plan)],
    found(results).map((partition) => filesystem(plan, partition)),
    [{ effect: toMount('opened', 'Say that it is open', plan, opened(plan, results)) }],
  ],
  stay: {
    checkSeconds: (plan) => Math.max(1, plan.idleSeconds / CHECKS_PER_IDLE_TIME),
    check: ({ mountId }) =>
      effect(
        'mount.idle',
        { mountId },
        { step: 'idle', title: 'Look whether anybody reads', resource: `idle:${mountId}` },
      ),
    closes: (plan, result) =>
      Number(result['idleSeconds']) >= plan.idleSeconds
        ? { code: 'idle', message: `nobody read from it for ${plan.idleSeconds} seconds` }
        : null,
  },
  conclude: (plan, _results, ending) => [toMount('end', 'Record the end', plan, endCommand(plan, ending))],
});

function effect<Kind extends keyof RestoreEffects>(
  kind: Kind,
  args: RestoreEffects[Kind]['args'],
  rest: Pick<EffectRequest, 'step' | 'title' | 'resource'> & Partial<EffectRequest>,
): EffectRequest {
  return { timeoutSeconds: SHORT_SECONDS, retry: LOCAL, ...rest, kind, args };
}

function overlay(plan: MountPlan): Step {
  const { mountId, root, image, layers } = plan;
  const resource = `mount:${mountId}`;
  return {
    effect: effect(
      'mount.overlay',
      { mountId, root, image, layers },
      { step: 'overlay', title: 'Put a throwaway layer over the restore point', resource },
    ),
    undo: effect(
      'mount.overlay.remove',
      { mountId },
      { step: 'overlay-remove', title: 'Remove the throwaway layer', resource, retry: STUBBORN },
    ),
  };
}

function exportOverlay(plan: MountPlan): Step {
  const { mountId, root, image, layers } = plan;
  const resource = `mount:${mountId}`;
  return {
    effect: effect(
      'mount.export',
      { mountId, root, image, layers },
      { step: 'export', title: 'Open the layer as an export', resource, watched: true },
    ),
    undo: effect(
      'mount.export.close',
      { mountId },
      { step: 'export-close', title: 'Close the export', resource, retry: STUBBORN, ends: ['export'] },
    ),
  };
}

function disk(plan: MountPlan): Step {
  const { mountId } = plan;
  const resource = `mount:${mountId}`;
  return {
    effect: effect(
      'mount.disk',
      { mountId },
      { step: 'disk', title: 'Show the export as one file', resource, watched: true },
    ),
    undo: effect(
      'mount.disk.close',
      { mountId },
      { step: 'disk-close', title: 'Take the file away', resource, retry: STUBBORN, ends: ['disk'] },
    ),
  };
}

function inspect(plan: MountPlan): Step {
  const { mountId } = plan;
  const title = 'Look for partitions and filesystems';
  return { effect: effect('mount.inspect', { mountId }, { step: 'inspect', title, resource: `mount:${mountId}` }) };
}

function stepOf(partition: FoundPartition): string {
  return `partition:${partition.number}`;
}

function filesystem(plan: MountPlan, partition: FoundPartition): Step {
  const { mountId } = plan;
  const resource = `mount:${mountId}:${partition.number}`;
  const step = stepOf(partition);
  return {
    effect: effect(
      'mount.filesystem',
      { mountId, partition },
      {
        step,
        title: `Open partition ${partition.number}`,
        resource,
        timeoutSeconds: FILESYSTEM_SECONDS,
        watched: true,
      },
    ),
    undo: effect(
      'mount.filesystem.close',
      { mountId, partition: partition.number },
      { step: `${step}-close`, title: `Close partition ${partition.number}`, resource, retry: STUBBORN, ends: [step] },
    ),
  };
}

function found(results: Results): readonly FoundPartition[] {
  return (results['inspect'] as RestoreEffects['mount.inspect']['result'] | undefined)?.partitions ?? [];
}

function opened(plan: MountPlan, results: Results): MountCommand {
  const partitions = found(results).map((partition): MountedPartition => {
    const { number, sizeBytes, filesystem: type, label, uuid } = partition;
    const about = { number, sizeBytes, filesystem: type, label, uuid };
    const result = results[stepOf(partition)] as RestoreEffects['mount.filesystem']['result'] | undefined;
    if (result === undefined) return { ...about, state: 'unreadable', reason: 'it was not opened' };
    if (result.state === 'unreadable') return { ...about, state: 'unreadable', reason: result.reason };
    return { ...about, state: 'mounted', replayedJournal: result.replayedJournal };
  });
  return { type: 'MarkOpened', mountId: plan.mountId, partitions };
}

function endCommand(plan: MountPlan, ending: Ending): MountCommand {
  return {
    type: ending.outcome === 'failed' ? 'MarkFailed' : 'MarkClosed',
    mountId: plan.mountId,
    ...jobEndOf(ending),
  };
}

function toMount(step: string, title: string, plan: MountPlan, command: MountCommand): EffectRequest {
  return commandEffect(step, title, 'mount', plan.mountId, command);
}
