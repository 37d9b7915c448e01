import { type IQueryHandler, Query, QueryHandler } from '@nestjs/cqrs';

import { type GuestEntry, GuestFiles } from '#platform/filesystems/guest-files.port';
import { cursorOf, readCursor } from '#platform/http/paging';

import { guestFileResponse } from '../guest-file.response.js';
import type { ListFilesRequest } from '../guest-file.request.js';
import { joined } from '../guest-path.js';
import { OpenPartition } from '../open-partition.js';
import type { ListFilesResponse } from './list-files.response.js';

/** A folder of a guest, ordered by the bytes of the names. */
export class ListFiles extends Query<ListFilesResponse> {
  constructor(
    readonly mountId: string,
    readonly path: Buffer,
    readonly request: ListFilesRequest,
  ) {
    super();
  }
}

@QueryHandler(ListFiles)
export class ListFilesHandler implements IQueryHandler<ListFiles> {
  constructor(
    private readonly partitions: OpenPartition,
    private readonly guest: GuestFiles,
  ) {}

  async execute({ mountId, path, request }: ListFiles): Promise<ListFilesResponse> {
    const place = await this.partitions.of(mountId, request.partition);
    const entries = await this.guest.list(place, path);
    const { page, next } = pageOf(entries, request);
    return {
      mount_id: mountId,
      partition: place.partition,
      path: path.toString(),
      files: page.map((entry) => guestFileResponse(entry, joined(path, entry.name))),
      total_count: entries.length,
      next_cursor: next,
    };
  }
}

function pageOf(
  entries: readonly GuestEntry[],
  { limit = Infinity, cursor }: ListFilesRequest,
): { readonly page: readonly GuestEntry[]; readonly next: string | null } {
  const [after] = readCursor(cursor, 'text') ?? [];
  const from = after === undefined ? null : Buffer.from(after, 'base64url');
  const ordered = entries
    .filter((entry) => from === null || Buffer.compare(entry.name, from) > 0)
    .toSorted((one, other) => Buffer.compare(one.name, other.name));
  const page = ordered.slice(0, limit);
  const last = page.at(-1);
  const more = ordered.length > page.length && last !== undefined;
  return { page, next: more ? cursorOf(last.name.toString('base64url')) : null };
}
