import type { MisbehaviourSettings } from './misbehaviour.js';

/** What an agent out of its mind says instead of `answer`. */
export function nonsense(
  kind: NonNullable<MisbehaviourSettings['nonsense']>,
  answer: object,
): { readonly contentType: string; readonly text: string } {
  switch (kind) {
    case 'not-json':
      return { contentType: 'application/json', text: JSON.stringify(answer).slice(0, -1) };
    case 'wrong-types':
      return { contentType: 'application/json', text: JSON.stringify(confused(answer)) };
    case 'html':
      return { contentType: 'text/html', text: '<html><body><h1>502 Bad Gateway</h1></body></html>\n' };
  }
}

/** The same keys with values of other types: text for numbers, numbers for text, text for lists. */
function confused(value: unknown): unknown {
  if (typeof value === 'string') return value.length;
  if (typeof value === 'number') return `about ${value}`;
  if (Array.isArray(value)) return `${value.length} things`;
  if (typeof value !== 'object' || value === null) return [value];
  return Object.fromEntries(Object.entries(value).map(([key, one]) => [key, confused(one)]));
}
