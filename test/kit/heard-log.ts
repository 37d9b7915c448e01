import type { Logger } from '#platform/logging/logger.port';

export interface Heard {
  readonly line: string;
}

/** A log whose warnings and errors are kept for a test, with their fields. */
export function heardLog(): { readonly logger: Logger; readonly heard: Heard[]; readonly failures: Heard[] } {
  const heard: Heard[] = [];
  const failures: Heard[] = [];
  const silent = () => undefined;
  const logger: Logger = {
    debug: silent,
    info: silent,
    warn: (fields, line) => heard.push({ ...fields, line }),
    error: (fields, line) => failures.push({ ...fields, line }),
  };
  return { logger, heard, failures };
}
