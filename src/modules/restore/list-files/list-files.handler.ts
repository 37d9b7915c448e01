import { type IQueryHandler, Query, QueryHandler } from '@nestjs/cqrs';

import { type GuestEntry, GuestFiles } from '#platform/filesystems/guest-files.port';
import { List } from '#platform/http/paging';

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
    const list = new List(`files of ${mountId} ${place.partition} ${path.toString()}`, request);
    const { rows, next } = pageOf(entries, list);
    return {
      mount_id: mountId,
      partition: place.partition,
      path: path.toString(),
      files: rows.map((entry) => guestFileResponse(entry, joined(path, entry.name))),
      total_count: entries.length,
      next_cursor: next,
    };
  }
}

/** In the order of their names' bytes. */
function pageOf(
  entries: readonly GuestEntry[],
  list: List,
): { readonly rows: readonly GuestEntry[]; readonly next: string | null } {
  const [after] = list.after('text') ?? [];
  const from = after === undefined ? null : Buffer.from(after, 'base64url');
  const ordered = entries
    .filter((entry) => from === null || Buffer.compare(entry.name, from) > 0)
    .toSorted((one, other) => Buffer.compare(one.name, other.name));
  return list.page(ordered, (entry) => [entry.name.toString('base64url')]);
}
