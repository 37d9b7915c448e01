import { type DestinationStream, pino } from 'pino';

import type { Logger } from './logger.port.js';

/** Names of members whose values never reach the log, wherever they stand. */
const SECRETS = ['password', 'vcenter_password', 'token', 'session_token', 'authorization', 'secret', 'masterKey'];

/** One line of JSON per event on standard error; standard output belongs to the user. */
export function pinoLogger(level: string, destination?: DestinationStream): Logger {
  const logger = pino(
    {
      level,
      base: null,
      timestamp: pino.stdTimeFunctions.isoTime,
      formatters: { level: (label) => ({ level: label }) },
      serializers: { error: pino.stdSerializers.err },
      redact: { paths: SECRETS.flatMap((name) => [name, `*.${name}`, `*.*.${name}`]), censor: '[redacted]' },
    },
    destination ?? pino.destination({ dest: 2, sync: true }),
  );
  return {
    debug: (fields, message) => {
      logger.debug(fields, message);
    },
    info: (fields, message) => {
      logger.info(fields, message);
    },
    warn: (fields, message) => {
      logger.warn(fields, message);
    },
    error: (fields, message) => {
      logger.error(fields, message);
    },
  };
}
