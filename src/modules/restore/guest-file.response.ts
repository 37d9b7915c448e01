import type { GuestEntry } from '#platform/filesystems/guest-files.port';

import { encodedPath } from './guest-path.js';

/** The contract's file (contract-c 4.4). Names are shown as text; `path_encoded` names the very bytes. */
export interface GuestFileResponse {
  name: string;
  path: string;
  /** For the `path` parameter of these routes, whatever bytes the name has. */
  path_encoded: string;
  type: string;
  size: number;
  /** Four octal digits. */
  mode: string;
  uid: number;
  gid: number;
  modified_time: string;
  is_symlink: boolean;
  symlink_target?: string;
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
