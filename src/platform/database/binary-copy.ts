/** What PostgreSQL's binary format for COPY is made of (its manual, "COPY", "Binary Format"), for those who read and who write it. */

export const SIGNATURE = Buffer.from('PGCOPY\n\xff\r\n\0', 'latin1');
/** Flags and the length of what could follow them: none. */
export const NO_EXTENSION = Buffer.alloc(8);
/** Before each row: how many values it has. */
export const COUNT_BYTES = 2;
/** In the place of a count: no more rows. */
export const END = -1;
/** Before each value. */
export const LENGTH_BYTES = 4;
export const UUID_BYTES = 16;
/** Before the text of a jsonb. */
export const JSON_VERSION_BYTES = 1;
export const JSON_VERSION = 1;
/** Times are microseconds from the year 2000. */
export const EPOCH_MS = Date.UTC(2000, 0, 1);
