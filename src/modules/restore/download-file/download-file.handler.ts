import type { Readable } from 'node:stream';

import { type IQueryHandler, Query, QueryHandler } from '@nestjs/cqrs';

import { PathRefused } from '#domain/restore/mount.errors';
import { GuestFiles } from '#platform/filesystems/guest-files.port';

import { contentDisposition } from '../content-disposition.js';
import { baseName } from '../guest-path.js';
import { OpenPartition } from '../open-partition.js';
import { byteRange } from './byte-range.js';

export interface Download {
  readonly stream: Readable;
  readonly status: 200 | 206;
  readonly headers: Readonly<Record<string, string>>;
}

/** One file of a guest as a stream. */
export class DownloadFile extends Query<Download> {
  constructor(
    readonly mountId: string,
    readonly path: Buffer,
    readonly partition: number | undefined,
    readonly range: string | undefined,
  ) {
    super();
  }
}

@QueryHandler(DownloadFile)
export class DownloadFileHandler implements IQueryHandler<DownloadFile> {
  constructor(
    private readonly partitions: OpenPartition,
    private readonly guest: GuestFiles,
  ) {}

  async execute({ mountId, path, partition, range: wanted }: DownloadFile): Promise<Download> {
    const place = await this.partitions.of(mountId, partition);
    const { type, size } = await this.guest.info(place, path);
    if (type === 'directory') {
      throw new PathRefused(
        'this is a directory',
        'ask for it as an archive: /download-directory in the place of /download',
      );
    }
    if (type !== 'file') throw new PathRefused(`only files can be downloaded, and this is a ${type}`);
    const range = byteRange(wanted, size);
    const stream = await this.guest.open(place, path, range ?? undefined);
    const length = range === null ? size : range.end - range.start + 1;
    return {
      stream,
      status: range === null ? 200 : 206,
      headers: {
        'content-type': 'application/octet-stream',
        'content-length': String(length),
        'content-disposition': contentDisposition(baseName(path)),
        'accept-ranges': 'bytes',
        ...(range !== null && { 'content-range': `bytes ${range.start}-${range.end}/${size}` }),
      },
    };
  }
}
