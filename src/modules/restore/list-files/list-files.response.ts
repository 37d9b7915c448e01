import { Shown } from '#platform/http/answer-fields';

import { GuestFileResponse } from '../guest-file.response.js';

export class ListFilesResponse {
  @Shown.text('which mount') mount_id: string;
  @Shown.whole('which partition') partition: number;
  @Shown.text('the folder, as text') path: string;
  @Shown.list(GuestFileResponse, 'ordered by the bytes of the names') files: readonly GuestFileResponse[];
  @Shown.whole('of the whole folder') total_count: number;
  @Shown.text('cursor of the next page; null on the last', { nullable: true }) next_cursor: string | null;
}
