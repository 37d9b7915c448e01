import { describe, expect, it } from '@jest/globals';

import { answerSchema, Shown } from './answer-fields.js';

class Part {
  @Shown.whole('in bytes') size: number;
}

class Thing {
  @Shown.text('its name', { example: 'one' }) name: string;
  @Shown.moment('when it was seen', { nullable: true }) seen_at: string | null;
  @Shown.oneOf(['round', 'square'], 'its shape', { nullable: true, optional: true }) shape?: 'round' | 'square' | null;
  @Shown.nested(Part, 'the best part', { nullable: true }) best: Part | null;
  @Shown.list(Part, 'all parts') parts: readonly Part[];
  @Shown.map('what it was given') tags: Readonly<Record<string, string>>;
}

class GreatThing extends Thing {
  @Shown.always(true, 'that it is great') great: true;
}

describe('the fields of answers', () => {
  it('make a closed schema, one property for each', () => {
    expect(answerSchema('Thing')).toEqual({
      type: 'object',
      additionalProperties: false,
      properties: {
        name: { type: 'string', description: 'its name', examples: ['one'] },
        seen_at: { type: ['string', 'null'], format: 'date-time', description: 'when it was seen' },
        shape: { type: ['string', 'null'], enum: ['round', 'square', null], description: 'its shape' },
        best: { anyOf: [{ $ref: '#/components/schemas/Part' }, { type: 'null' }], description: 'the best part' },
        parts: { type: 'array', items: { $ref: '#/components/schemas/Part' }, description: 'all parts' },
        tags: { type: 'object', additionalProperties: { type: 'string' }, description: 'what it was given' },
      },
      required: ['name', 'seen_at', 'best', 'parts', 'tags'],
    });
  });

  it('come with those of the class that is extended, which keeps its own', () => {
    expect(Object.keys(answerSchema(GreatThing.name)?.['properties'] ?? {})).toContain('name');
    expect(answerSchema(GreatThing.name)?.['required']).toContain('great');
    expect(answerSchema('Thing')?.['required']).not.toContain('great');
  });

  it('know no class without fields', () => {
    expect(answerSchema('Nothing')).toBeNull();
  });

  it('refuse a second class of the same name', () => {
    const another = () => {
      class Thing {
        @Shown.text('its name') name: string;
      }
      return Thing;
    };
    expect(another).toThrow('two classes of answers are called Thing');
  });

  it('do not compile where type and schema differ', () => {
    class Wrong {
      // @ts-expect-error The schema says text.
      @Shown.text('') number: number;
      // @ts-expect-error The schema says null, too.
      @Shown.text('', { nullable: true }) never_null: string;
      // @ts-expect-error The type says null, too.
      @Shown.text('') sometimes_null: string | null;
      // @ts-expect-error The schema says that it may be missing.
      @Shown.text('', { optional: true }) always: string;
      // @ts-expect-error The type says that it may be missing.
      @Shown.text('') sometimes?: string;
      // @ts-expect-error The schema has one value more.
      @Shown.oneOf(['a', 'b'], '') one: 'a';
      // @ts-expect-error The parts have other fields.
      @Shown.list(Part, '') parts: readonly { name: string }[];
    }
    expect(answerSchema(Wrong.name)).not.toBeNull();
  });
});
