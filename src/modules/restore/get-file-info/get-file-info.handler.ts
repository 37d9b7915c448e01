import { type IQueryHandler, Query, QueryHandler } from '@nestjs/cqrs';

import { GuestFiles } from '#platform/filesystems/guest-files.port';

import { type GuestFileResponse, guestFileResponse } from '../guest-file.response.js';
import { OpenPartition } from '../open-partition.js';

export class GetFileInfo extends Query<GuestFileResponse> {
  constructor(
    readonly mountId: string,
    readonly path: Buffer,
    readonly partition: number | undefined,
  ) {
    super();
  }
}

@QueryHandler(GetFileInfo)
export class GetFileInfoHandler implements IQueryHandler<GetFileInfo> {
  constructor(
    private readonly partitions: OpenPartition,
    private readonly guest: GuestFiles,
  ) {}

  async execute({ mountId, path, partition }: GetFileInfo): Promise<GuestFileResponse> {
    const place = await this.partitions.of(mountId, partition);
    return guestFileResponse(await this.guest.info(place, path), path);
  }
}
