import type { Migration } from '../migration.js';

/** A resource is held while something on it is under way or put off, and no longer: not until the rows show the outcome. */
export const freeResources: Migration = {
  id: '0015-free-resources',
  sql: `
    alter table effect_lease drop constraint effect_lease_resource_key;
    create unique index effect_lease_resource on effect_lease (resource) where state <> 'settled';
  `,
};
