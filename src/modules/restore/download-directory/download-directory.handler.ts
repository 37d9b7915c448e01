import type { Readable } from 'node:stream';

import { type IQueryHandler, Query, QueryHandler } from '@nestjs/cqrs';

import type { ArchiveFormat } from '#platform/filesystems/archive-format';
import { GuestFiles } from '#platform/filesystems/guest-files.port';

import { contentDisposition } from '../content-disposition.js';
import { baseName } from '../guest-path.js';
import { OpenPartition } from '../open-partition.js';

export interface ArchiveDownload {
  readonly stream: Readable;
  readonly headers: Readonly<Record<string, string>>;
}

const MEDIA: Readonly<Record<ArchiveFormat, string>> = { zip: 'application/zip', 'tar.gz': 'application/gzip' };

/** A folder of a guest as one archive, streamed. */
export class DownloadDirectory extends Query<ArchiveDownload> {
  constructor(
    readonly mountId: string,
    readonly path: Buffer,
    readonly partition: number | undefined,
    readonly format: ArchiveFormat,
  ) {
    super();
  }
}

@QueryHandler(DownloadDirectory)
export class DownloadDirectoryHandler implements IQueryHandler<DownloadDirectory> {
  constructor(
    private readonly partitions: OpenPartition,
    private readonly guest: GuestFiles,
  ) {}

  async execute({ mountId, path, partition, format }: DownloadDirectory): Promise<ArchiveDownload> {
    const place = await this.partitions.of(mountId, partition);
    const own = baseName(path);
    const name = own.length === 0 ? Buffer.from(`partition-${place.partition}`) : own;
    const stream = await this.guest.archive(place, path, format, name);
    const file = Buffer.concat([name, Buffer.from(`.${format}`)]);
    return {
      stream,
      headers: { 'content-type': MEDIA[format], 'content-disposition': contentDisposition(file) },
    };
  }
}
