#!/usr/bin/env node
import { type Command, Misuse, readCommand, USAGE } from './cli/command.js';
import { EXIT } from './cli/exit.js';
import { runCommand } from './cli/projections.js';

/** Standard output belongs to the result; everything else is on standard error. */
const interruption = new AbortController();
for (const signal of ['SIGINT', 'SIGTERM'] as const) {
  process.once(signal, () => {
    interruption.abort();
  });
}

/** Who reads no further, as `head`, still gets the exit code that the rest deserves. */
process.stdout.on('error', (error) => {
  if ((error as NodeJS.ErrnoException).code !== 'EPIPE') throw error;
});

const command = understood();
if (command === 'help') {
  process.stdout.write(`${USAGE}\n`);
  process.exit(EXIT.done);
}
process.exit(
  await runCommand(command, {
    environment: process.env,
    signal: interruption.signal,
    out: (text) => {
      process.stdout.write(`${text}\n`);
    },
    tell: (line) => {
      process.stderr.write(`${line}\n`);
    },
  }),
);

function understood(): Command | 'help' {
  try {
    return readCommand(process.argv.slice(2));
  } catch (error) {
    if (!(error instanceof Misuse)) throw error;
    process.stderr.write(`oma: ${error.message}\n\n${USAGE}\n`);
    process.exit(EXIT.usage);
  }
}
