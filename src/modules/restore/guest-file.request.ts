import { Text, Whole } from '#platform/http/fields';
import { MAX_LIMIT } from '#platform/http/paging';

const MAX_PARTITION = 65_535;
const MAX_PATH = 12_288;

/** Which file or folder. */
export class GuestFileRequest {
  @Text({ about: 'path in the guest, percent-encoded bytes; the root by default', max: MAX_PATH, optional: true })
  readonly path?: string;

  @Whole({
    about: 'partition number; the first one that could be opened by default',
    min: 0,
    max: MAX_PARTITION,
    optional: true,
    inQuery: true,
  })
  readonly partition?: number;
}

export class ListFilesRequest extends GuestFileRequest {
  @Whole({ about: 'at most so many; all by default', min: 1, max: MAX_LIMIT * 100, optional: true, inQuery: true })
  readonly limit?: number;

  @Text({ about: 'next_cursor of the page before', max: 2048, optional: true })
  readonly cursor?: string;
}
