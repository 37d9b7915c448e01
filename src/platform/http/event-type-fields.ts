import { Transform } from 'class-transformer';
import { ValidateBy } from 'class-validator';

import { EVENT_TYPES } from '#domain/event-types';

import { type Common, field } from './fields.js';

const NAMES = { type: 'string' as const, enum: [...EVENT_TYPES] };

/** The name of a type of event; what is none would be waited for in vain. */
export function EventType(options: Common): PropertyDecorator {
  return field(options, NAMES, areEventTypes());
}

/** Names of types of events in a query parameter, separated by commas; they arrive as a list. */
export function EventTypes(options: Common): PropertyDecorator {
  const read = Transform(({ value }: { value: unknown }) =>
    typeof value === 'string' ? value.split(',').map((name) => name.trim()) : value,
  );
  // Without `explode` the document would say that each name has a parameter of its own.
  const documented = { type: 'array' as const, items: NAMES, minItems: 1, explode: false };
  return field(options, documented, read, areEventTypes());
}

function areEventTypes(): PropertyDecorator {
  return ValidateBy({
    name: 'areEventTypes',
    validator: {
      validate: (value) => unknownIn(value).length === 0,
      defaultMessage: (seen) => {
        const names = unknownIn(seen?.value).map((name) => JSON.stringify(name));
        return `${names.join(', ')} ${names.length === 1 ? 'is' : 'are'} no event type; docs/events.md lists them`;
      },
    },
  });
}

function unknownIn(value: unknown): readonly unknown[] {
  return [value].flat().filter((name) => typeof name !== 'string' || !EVENT_TYPES.includes(name));
}
