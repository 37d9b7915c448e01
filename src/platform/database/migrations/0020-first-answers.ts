import type { Migration } from '../migration.js';

/** A first answer comes again as it was, with its members in their order, which jsonb doesn't keep. */
export const firstAnswers: Migration = {
  id: '0020-first-answers',
  sql: `alter table idempotency_key alter column answer type json using answer::json;`,
};
