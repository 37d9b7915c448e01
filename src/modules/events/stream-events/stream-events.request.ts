import { EventTypes } from '#platform/http/event-type-fields';
import { Text } from '#platform/http/fields';

/** Longer ones are refused with the newest position, as every one that isn't one. */
const MAX_POSITION = 16_384;

export class StreamEventsRequest {
  @Text({
    about: 'position to begin after, for those who can not send Last-Event-ID, which wins; empty for the whole log',
    min: 0,
    max: MAX_POSITION,
    optional: true,
  })
  readonly after?: string;

  @EventTypes({ about: 'only events of these types, separated by commas', optional: true })
  readonly types?: readonly string[];

  @Text({ about: 'only events about this VM', max: 128, optional: true })
  readonly vm_context_id?: string;

  @Text({ about: 'only what one request set in motion', max: 255, optional: true })
  readonly correlation_id?: string;
}
