import { EventType } from '#platform/http/event-type-fields';
import { Moment, Text } from '#platform/http/fields';
import { PageRequest } from '#platform/http/paging';

export class ListAuditRequest extends PageRequest {
  @Text({ about: "only what this actor did: a user's id or name, or the name of a saga", max: 255, optional: true })
  readonly actor?: string;

  @EventType({ about: 'only events of this type', optional: true, example: 'BackupCompleted' })
  readonly type?: string;

  @Text({ about: 'only events of this stream', max: 255, optional: true })
  readonly stream?: string;

  @Text({ about: 'only what one request set in motion', max: 255, optional: true })
  readonly correlation?: string;

  @Moment({ about: 'recorded at this moment or later', optional: true })
  readonly from?: string;

  @Moment({ about: 'recorded before this moment', optional: true })
  readonly to?: string;
}
