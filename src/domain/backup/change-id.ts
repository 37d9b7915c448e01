/**
 * VMware's bookmark of a tracked disk, `epoch/sequence`: sixteen bytes in hexadecimal, with blanks and a hyphen as vCenter
 * prints them or as a UUID, and a number (`52 de c0 d9 b9 43 9d 10-61 d5 4c 1b e9 7b 65 63/81`).
 */
const CHANGE_ID = /^(?:[0-9a-f]{2}[ -]?){15}[0-9a-f]{2}\/\d{1,20}$/i;

/** Code of the failure of a job whose agent could not tell any more what had changed since the base. */
export const CHANGE_TRACKING_RESET = 'change-tracking-reset';

/** Whether a text from outside is a change id. */
export function isChangeId(text: string): boolean {
  return CHANGE_ID.test(text);
}

/** Whether two change ids say the same, however their epochs are written. */
export function isSameChangeId(one: string, other: string): boolean {
  return plain(one) === plain(other);
}

/** Whether both belong to one epoch of tracking: only then did nothing go unseen between them. */
export function isSameEpoch(one: string, other: string): boolean {
  return epochOf(one) === epochOf(other);
}

/** Whether the one was taken before the other; both of one epoch. */
export function isEarlier(one: string, other: string): boolean {
  return sequenceOf(one) < sequenceOf(other);
}

/** Digits of one length: the number may be larger than what a number holds exactly. */
function sequenceOf(changeId: string): string {
  return changeId.slice(changeId.lastIndexOf('/') + 1).padStart(20, '0');
}

function epochOf(changeId: string): string {
  return plain(changeId.slice(0, changeId.lastIndexOf('/')));
}

function plain(text: string): string {
  return text.replaceAll(/[ -]/g, '').toLowerCase();
}
