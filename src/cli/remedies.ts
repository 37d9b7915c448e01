import type { DomainError } from '#domain/kernel/domain-error';

const LIST = '"oma projections list" names those that there are';
const STATUS = '"oma projections status" shows how they are';

/** What helps somebody at the command line, who may have no API to ask. */
const REMEDIES: Readonly<Record<string, string>> = {
  'unknown-projection': LIST,
  'no-stopped-projection': STATUS,
  'not-stopped-there': STATUS,
  'no-rebuild-under-way': STATUS,
  'rebuild-under-way': 'wait for it ("oma projections status"), or give it up ("oma projections cancel NAME")',
};

export function remedyOf({ code, remedy }: DomainError): string | undefined {
  return REMEDIES[code] ?? remedy;
}
