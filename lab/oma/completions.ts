import type { MisbehaviourSettings } from '../vma/misbehaviour.js';

/** What is told of one complete disk. */
interface Completion {
  readonly changeId: string;
  /** 0 when the right disk is named. */
  readonly keyShift: number;
}

/** What OMA is told of a disk with this change id, once for each time it is told. */
export function completionsOf(changeId: string, settings: MisbehaviourSettings): readonly Completion[] {
  const { wrong_change_id, complete_wrong_disk, complete_twice } = settings;
  const first =
    wrong_change_id === 'malformed' ? 'not a change id' : wrong_change_id === 'another' ? next(changeId) : changeId;
  const keyShift = complete_wrong_disk === true ? 1 : 0;
  if (complete_twice === undefined) return [{ changeId: first, keyShift }];
  const second = complete_twice === 'same' ? first : next(first);
  return [first, second].map((told) => ({ changeId: told, keyShift }));
}

/** The one after it. */
function next(changeId: string): string {
  return changeId.replace(/\d+$/, (sequence) => String(Number(sequence) + 1));
}
