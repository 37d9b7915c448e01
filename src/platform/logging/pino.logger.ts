import { type DestinationStream, type Logger as PinoLogger, pino } from 'pino';

import type { Logger } from './logger.port.js';

/** What could not be written is kept until it can be, up to this. */
const KEPT_BYTES = 1024 * 1024;

/** Names of members whose values never reach the log, wherever they stand. */
const SECRETS = ['password', 'vcenter_password', 'token', 'session_token', 'authorization', 'secret', 'masterKey'];

/** One line of JSON per event on standard error; standard output belongs to the user. */
export function pinoLogger(level: string, destination: DestinationStream = standardError()): Logger {
  const deep = SECRETS.flatMap((name) => [name, `*.${name}`, `*.*.${name}`]);
  const [flatFields, allFields] = [pinoCensoring(SECRETS, level, destination), pinoCensoring(deep, level, destination)];
  // To look for members of members costs ten times what the line costs, and requests have none.
  const loggerOf = (fields: object) => (Object.values(fields).some(hasMembers) ? allFields : flatFields);
  return {
    debug: (fields, message) => {
      loggerOf(fields).debug(fields, message);
    },
    info: (fields, message) => {
      loggerOf(fields).info(fields, message);
    },
    warn: (fields, message) => {
      loggerOf(fields).warn(fields, message);
    },
    error: (fields, message) => {
      loggerOf(fields).error(fields, message);
    },
  };
}

function pinoCensoring(paths: readonly string[], level: string, destination: DestinationStream): PinoLogger {
  return pino(
    {
      level,
      base: null,
      timestamp: pino.stdTimeFunctions.isoTime,
      formatters: { level: (label) => ({ level: label }) },
      serializers: { error: pino.stdSerializers.err },
      redact: { paths: [...paths], censor: '[redacted]' },
    },
    destination,
  );
}

function hasMembers(value: unknown): boolean {
  return typeof value === 'object' && value !== null;
}

/** A disk that is full, or a reader that went away, costs lines of the log and ends nothing: there is nobody left to tell. */
function standardError(): DestinationStream {
  const stream = pino.destination({ dest: 2, sync: true, maxLength: KEPT_BYTES });
  stream.on('error', () => undefined);
  return stream;
}
