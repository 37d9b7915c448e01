import type { Migration } from '../migration.js';

/** Nobody asks when a password was changed, and nothing changes one. */
export const passwordAge: Migration = {
  id: '0019-password-age',
  sql: `alter table password drop column changed_at;`,
};
