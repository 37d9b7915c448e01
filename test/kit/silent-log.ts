import type { Logger } from '#platform/logging/logger.port';

/** For subjects whose log lines a test doesn't look at. */
export const silentLog: Logger = {
  debug: () => undefined,
  info: () => undefined,
  warn: () => undefined,
  error: () => undefined,
};
