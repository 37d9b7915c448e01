import { parseArgs } from 'node:util';

import { type Lab, startLab } from '#lab/lab';

import { Oma } from './oma.js';
import { Config } from './platform/config/config.js';
import { pinoLogger } from './platform/logging/pino.logger.js';
import { CannotStart, Misfit } from './platform/start/cannot-start.js';

/** npm passes a Ctrl-C on that the terminal sent already: the second one within so long is the same. */
const SAME_SIGNAL_MS = 1000;
const INTERRUPTED = 130;
/** A start that is to stop and can't come to an end, as while rows are built, is left where it is. */
const START_ENDS_WITHIN_MS = 10_000;
/** The other instances took this one for dead: nothing of it may go on, and whoever looks after it may start it again. */
const GIVEN_UP = 75;
/** Stopped, and not everything could be ended: what is left stands in the database, and the next start goes on with it. */
const NOT_ENDED = 74;
/** As a start on another log would end. */
const OTHER_LOG = 78;

/** Standard output belongs to the person, or to the program that waits for the ready line; the log is on standard error. */
function say(line: string): void {
  process.stdout.write(`${line}\n`);
}

/** Answers what the program is to end with. */
async function run(): Promise<number> {
  const flags = flagsOf(process.argv.slice(2));
  const settings = Config.from(process.env);
  const logger = pinoLogger(settings.logLevel);
  const stopped = stopSignal();
  const interruption = new AbortController();
  let isStarting = true;
  void stopped.then(() => {
    interruption.abort();
    // What is under way then stands in the database, and the next start goes on with it.
    setTimeout(() => {
      if (isStarting) process.exit(0);
    }, START_ENDS_WITHIN_MS);
  });
  const lab = flags.lab
    ? await startLab({ dir: `${settings.dataDir}/lab`, port: Number(new URL(settings.vmaUrl).port) })
    : null;
  // The lab's agent proves itself with the token that it made at its first start.
  const config = lab === null ? settings : Config.from({ ...process.env, OMA_VMA_TOKEN: lab.agentToken });
  const isTerminal = process.stdout.isTTY;
  const { signal } = interruption;
  const oma = await Oma.start({ config, logger, say, isTerminal, swagger: true, signal }).catch(
    async (error: unknown) => {
      await lab?.stop();
      throw error;
    },
  );
  isStarting = false;
  lab?.connect(oma.url);
  if (flags['ready-line']) say(JSON.stringify({ ready: true, url: oma.url }));
  else greet(oma.url, lab);
  const givenUp = oma.givenUp.then(() => process.exit(GIVEN_UP));
  const replaced = oma.logReplaced.then(() => {
    logger.error(
      {},
      'the event store holds another log than the one that the database belongs to: OMA ends; give it back its log, or an empty database',
    );
    return OTHER_LOG;
  });
  const exitCode = await Promise.race([stopped.then(() => 0), givenUp, replaced]);
  const seconds = config.stopWithinSeconds;
  setTimeout(() => {
    logger.error({ seconds }, 'OMA did not come to an end in time and is left as it is; the next start takes it up');
    process.exit(exitCode === 0 ? NOT_ENDED : exitCode);
  }, seconds * 1000);
  const isEnded = await oma.stop();
  await lab?.stop();
  return exitCode === 0 && !isEnded ? NOT_ENDED : exitCode;
}

function flagsOf(words: string[]): { readonly lab: boolean; readonly 'ready-line': boolean } {
  const flag = { type: 'boolean', default: false } as const;
  try {
    return parseArgs({ args: words, options: { lab: flag, 'ready-line': flag } }).values;
  } catch (error) {
    // What stands behind the first sentence is advice for arguments that there are none of.
    const [said] = (error as Error).message.split(/\.?(?:\n|\. |$)/);
    throw new Misfit(`${said ?? ''}; there are --lab and --ready-line`);
  }
}

function greet(url: string, lab: Lab | null): void {
  say(`OMA serves at ${url}/api/v1; try it at ${url}/swagger. Ctrl-C stops it.`);
  if (lab === null) return;
  const { host, username, datacenter } = lab.vcenter;
  // Not into a file that somebody may keep.
  const password = process.stdout.isTTY ? lab.vcenter.password : 'see vcenter-password in the folder of the lab';
  say(
    `The lab's vCenter, for POST /vmware-credentials: ${JSON.stringify({ vcenter_host: host, username, password, datacenter })}`,
  );
  say(`Its VMs: ${lab.vms.map((vm) => vm.name).join(', ')}`);
}

/** Resolves at the first signal; a second one that isn't its echo ends the process at once. */
async function stopSignal(): Promise<void> {
  let first: number | undefined;
  await new Promise<void>((resolve) => {
    for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
      process.on(signal, () => {
        first ??= performance.now();
        resolve();
        if (performance.now() - first > SAME_SIGNAL_MS) process.exit(INTERRUPTED);
      });
    }
  });
}

try {
  process.exit(await run());
} catch (error) {
  process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n`);
  process.exit(error instanceof CannotStart ? error.exitCode : 1);
}
