import type { Logger } from '#platform/logging/logger.port';

export interface Heard {
  readonly line: string;
}

/** A log whose warnings are kept for a test, with their fields. */
export function heardLog(): { readonly logger: Logger; readonly heard: Heard[] } {
  const heard: Heard[] = [];
  const silent = () => undefined;
  const logger: Logger = {
    debug: silent,
    info: silent,
    warn: (fields, line) => heard.push({ ...fields, line }),
    error: silent,
  };
  return { logger, heard };
}
