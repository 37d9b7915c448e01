import type { EventMetadata, Position, StoredEvent } from '#domain/kernel/event';

import { RECORDED } from '../guests.js';
import { ID, type RecordedEvent } from './recorded-life.js';

const SUFFIX_DIGITS = 12;
const NAME = new RegExp(`${ID.source}|${RECORDED.name}`, 'g');

/** An event of another VM's life. */
export interface LifeCopy {
  readonly stream: string;
  /** Id, data and metadata as COPY takes them. */
  readonly text: string;
  asStored(position: Position, at: Date): StoredEvent;
}

/** The event as it would be in the life of the VM with this number: every id but the shared ones is another. */
export function copyOf(event: RecordedEvent, vm: number, shared: ReadonlySet<string>): LifeCopy {
  const renamed = (text: string) =>
    text.replace(NAME, (found) => (found === RECORDED.name ? vmName(vm) : shared.has(found) ? found : idOf(found, vm)));
  const stream = renamed(event.stream);
  const text = renamed(event.text);
  return {
    stream,
    text: text.replaceAll('\\', '\\\\'),
    asStored: (position, recordedAt) => {
      const [id = '', data = '', metadata = ''] = text.split('\t');
      return {
        ...{ id, stream, position, recordedAt, type: event.type, revision: BigInt(event.revision) },
        data: JSON.parse(data) as object,
        metadata: JSON.parse(metadata) as EventMetadata,
      };
    },
  };
}

function vmName(vm: number): string {
  return `vm-${String(vm).padStart(5, '0')}`;
}

/** Adds the number to the id's last digits: two ids of one life differ in far more than that. */
function idOf(id: string, vm: number): string {
  const suffix = (parseInt(id.slice(-SUFFIX_DIGITS), 16) + vm) % 16 ** SUFFIX_DIGITS;
  return id.slice(0, -SUFFIX_DIGITS) + suffix.toString(16).padStart(SUFFIX_DIGITS, '0');
}
