#!/usr/bin/env node
import { readCommand, USAGE } from './cli/command.js';
import { EXIT } from './cli/exit.js';
import { runCommand } from './cli/projections.js';

/** Standard output belongs to the result; everything else is on standard error. */
const interruption = new AbortController();
for (const signal of ['SIGINT', 'SIGTERM'] as const) {
  process.once(signal, () => {
    interruption.abort();
  });
}

const command = readCommand(process.argv.slice(2));
if (command === null) {
  process.stderr.write(`${USAGE}\n`);
  process.exit(EXIT.usage);
}
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
