import { ARCHIVE_FORMATS, type ArchiveFormat } from '#platform/filesystems/archive-format';
import { OneOf } from '#platform/http/fields';

import { GuestFileRequest } from '../guest-file.request.js';

export class DownloadDirectoryRequest extends GuestFileRequest {
  @OneOf({ about: 'how it is packed; zip by default', of: ARCHIVE_FORMATS, optional: true })
  readonly format: ArchiveFormat = 'zip';
}
