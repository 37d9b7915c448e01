import { type BackupPlan, layersOf, type PlannedDisk } from '#domain/backup/backup-plan';
import type { BackupEffects } from '#domain/backup/effects';
import type { ImagePlace } from '#domain/kernel/image-place';
import type { EffectRequest, RetryRule } from '#domain/kernel/saga';

export const LOCAL: RetryRule = { attempts: 3, baseMs: 200, maxMs: 2000 };
export const ONCE: RetryRule = { attempts: 1, baseMs: 200, maxMs: 200 };
/** Undoing and telling the domain go on for a long time before they give up. */
export const STUBBORN: RetryRule = { attempts: 40, baseMs: 200, maxMs: 10_000 };

/** Agents of the first generation may complete a disk some seconds after they end. */
export const LAST_WORDS: RetryRule = { attempts: 40, baseMs: 500, maxMs: 2000 };

const SHORT_SECONDS = 30;
/** Flushing a large image's caches and reading its tables can take a while on slow storage. */
export const STORAGE_SECONDS = 600;
export const COPY_SECONDS = 14 * 24 * 3600;

/** An effect of taking a backup; short and tried thrice unless it says otherwise. */
export function effect<Kind extends keyof BackupEffects>(
  kind: Kind,
  args: BackupEffects[Kind]['args'],
  rest: Omit<EffectRequest, 'kind' | 'args' | 'timeoutSeconds' | 'retry'> & Partial<EffectRequest>,
): EffectRequest {
  return { timeoutSeconds: SHORT_SECONDS, retry: LOCAL, ...rest, kind, args };
}

export function placeOf(plan: BackupPlan, disk: PlannedDisk): ImagePlace {
  return { root: plan.root, image: disk.image, layers: layersOf(disk) };
}

export function exportIdOf(plan: BackupPlan, disk: PlannedDisk): string {
  return `${plan.jobId}-${disk.deviceKey}`;
}
