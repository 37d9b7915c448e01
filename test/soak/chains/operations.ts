import { seededRandom } from '../../kit/seeded-random.js';
import { KIB, MIB } from '../../kit/small-guests.js';

/** One thing that happens to a VM, its backups or OMA. `disk` is the place in the VM's list. */
export type Operation =
  | {
      readonly do: 'write';
      readonly disk: number;
      readonly offset: number;
      readonly length: number;
      readonly fill: number;
    }
  | { readonly do: 'zero' | 'discard'; readonly disk: number; readonly offset: number; readonly length: number }
  | { readonly do: 'reset'; readonly disk: number }
  | { readonly do: 'resize'; readonly disk: number; readonly sizeBytes: number }
  | {
      readonly do: 'backup';
      readonly type: 'full' | 'incremental' | 'auto';
      readonly then: 'complete' | 'fail' | 'cancel' | 'kill';
      /** Where it fails or stands still, and how long after its start it is cancelled or killed. */
      readonly atByte: number;
      readonly afterMs: number;
    }
  | { readonly do: 'restart' };

export const DISK_BYTES = MIB;
const SECTOR = 512;
const SHORTEST = 4;
const LONGEST = 9;

/** The operations of one seed, always the same; the last one is a backup. */
export function operationsOf(seed: number, disks: number): readonly Operation[] {
  const random = seededRandom(seed);
  const below = (limit: number) => Math.floor(random() * limit);
  const pick = <One>(...of: readonly One[]): One => of[below(of.length)] as One;
  const stretch = () => {
    const offset = below(DISK_BYTES / SECTOR) * SECTOR;
    const wanted = pick(SECTOR, 4 * KIB, 64 * KIB, 200 * KIB, (1 + below(512)) * SECTOR);
    return { disk: below(disks), offset, length: Math.min(wanted, DISK_BYTES - offset) };
  };
  const backup = (then: 'complete' | 'fail' | 'cancel' | 'kill'): Operation => ({
    do: 'backup',
    type: pick('full', 'incremental', 'auto', 'auto', 'auto'),
    then,
    atByte: below(DISK_BYTES),
    afterMs: below(700),
  });
  const one = (): Operation => {
    const dice = random();
    if (dice < 0.28) return { do: 'write', ...stretch(), fill: 1 + below(255) };
    if (dice < 0.36) return { do: 'zero', ...stretch() };
    if (dice < 0.44) return { do: 'discard', ...stretch() };
    if (dice < 0.49) return { do: 'reset', disk: below(disks) };
    if (dice < 0.52) return { do: 'resize', disk: below(disks), sizeBytes: DISK_BYTES + (1 + below(4)) * 64 * KIB };
    if (dice < 0.84) return backup('complete');
    if (dice < 0.9) return backup('fail');
    if (dice < 0.95) return backup('cancel');
    if (dice < 0.98) return backup('kill');
    return { do: 'restart' };
  };
  const length = SHORTEST + below(LONGEST - SHORTEST + 1);
  return [...Array.from({ length: length - 1 }, one), backup('complete')];
}
