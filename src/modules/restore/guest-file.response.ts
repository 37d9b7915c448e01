import type { GuestEntry } from '#platform/filesystems/guest-files.port';
import { Shown } from '#platform/http/answer-fields';

import { encodedPath } from './guest-path.js';

const KINDS = ['file', 'directory', 'symlink', 'fifo', 'socket', 'block', 'char', 'unreadable'] as const;

/** The contract's file (contract-c 4.4). Names are shown as text; `path_encoded` names the very bytes. */
export class GuestFileResponse {
  @Shown.text('its name as text') name: string;
  @Shown.text('where it is, as text') path: string;
  @Shown.text('for the path parameter of these routes, whatever bytes the name has') path_encoded: string;
  @Shown.oneOf(KINDS, 'what it is') type: string;
  @Shown.whole('in bytes') size: number;
  @Shown.text('four octal digits', { example: '0644' }) mode: string;
  @Shown.whole('of its owner in the guest') uid: number;
  @Shown.whole('of its group in the guest') gid: number;
  @Shown.text('ISO 8601; a guest may claim any time, and years beyond 9999 have a sign and six digits')
  modified_time: string;
  @Shown.flag('whether it is a symbolic link') is_symlink: boolean;
  @Shown.text('where the link leads; it is never followed', { optional: true }) symlink_target?: string;
}

const MODE_BITS = 0o7777;
const OCTAL = 8;
/** The widest range that a date can have; a guest may claim any time. */
const MAX_DATE_MS = 8.64e15;

export function guestFileResponse(entry: GuestEntry, path: Buffer): GuestFileResponse {
  return {
    name: entry.name.toString(),
    path: path.toString(),
    path_encoded: encodedPath(path),
    type: entry.type,
    size: entry.size,
    mode: (entry.mode & MODE_BITS).toString(OCTAL).padStart(4, '0'),
    uid: entry.uid,
    gid: entry.gid,
    modified_time: new Date(Math.max(-MAX_DATE_MS, Math.min(MAX_DATE_MS, entry.mtimeMs))).toISOString(),
    is_symlink: entry.type === 'symlink',
    ...(entry.linkTarget !== null && { symlink_target: entry.linkTarget.toString() }),
  };
}
