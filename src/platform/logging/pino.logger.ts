import { type DestinationStream, pino } from 'pino';

import type { Logger } from './logger.port.js';

/** What could not be written is kept until it can be, up to this. */
const KEPT_BYTES = 1024 * 1024;

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
    destination ?? standardError(),
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

/** A disk that is full, or a reader that went away, costs lines of the log and ends nothing: there is nobody left to tell. */
function standardError(): DestinationStream {
  const stream = pino.destination({ dest: 2, sync: true, maxLength: KEPT_BYTES });
  stream.on('error', () => undefined);
  return stream;
}
