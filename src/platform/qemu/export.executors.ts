import { dirname } from 'node:path';

import type { BackupEffects } from '#domain/backup/effects';
import type { ImagePlace } from '#domain/kernel/image-place';
import { fsyncPath } from '#platform/repositories/durable-file';
import type { Agents } from '#platform/vma/agents';
import { EffectError, type EffectContext, type EffectExecutor, type Observation } from '#platform/sagas/effect.port';

import { inUserWords } from './failures.js';
import { openImage } from './layers.js';
import type { NbdExports } from './nbd-exports.js';
import { NoFreePort } from './nbd-ports.js';
import type { QemuImg } from './qemu-img.js';

type Start = BackupEffects['export.start'];
type Stop = BackupEffects['export.stop'];
type Finish = BackupEffects['export.finish'];

/** Nothing that is thrown away needs a long farewell. */
const STOP_GRACE_SECONDS = 5;
/** A clean close writes everything that is still in memory, perhaps over a slow network. */
const FINISH_GRACE_SECONDS = 600;

/** Opens the door through which the agent writes one disk. */
export class StartExportExecutor implements EffectExecutor<Start['args']> {
  readonly kind = 'export.start';
  readonly reach = 'machine';

  constructor(
    private readonly nbdExports: NbdExports,
    private readonly qemuImg: QemuImg,
    private readonly agents: Agents,
  ) {}

  observe({ exportId, limits, ...place }: Start['args']): Promise<Observation> {
    return inUserWords(async () => {
      if ((await this.nbdExports.process(exportId)) === null) return { state: 'absent' };
      await openImage(place);
      const running = await this.nbdExports.running(exportId, limits);
      return running === null ? { state: 'partial' } : { state: 'done', result: resultOf(running) };
    });
  }

  execute(args: Start['args'], { signal }: EffectContext): Promise<Start['result']> {
    const { exportId, agent, limits, severalConnections, ...place } = args;
    return inUserWords(async () => {
      const mute = await this.nbdExports.process(exportId);
      if (mute !== null) await this.nbdExports.stop(mute, STOP_GRACE_SECONDS);
      const opened = await openImage(place);
      const { header, file } = opened;
      // Opening a dirty image for writing repairs it and makes it look clean; and only in an image that starts empty
      // does every loss show in the dirty bit.
      if (header.dirty || header.corrupt || !(await this.qemuImg.isEmpty(file, signal))) {
        throw notClean('an earlier export of the image ended before its time');
      }
      const options = { limits, severalConnections, slice: this.agents.named(agent).slice };
      const running = await this.nbdExports.start(exportId, opened, signal, options).catch(noPort);
      if (running === null) {
        throw new EffectError('transient', {
          code: 'export-not-started',
          message: 'the export of a disk did not start',
          remedy: 'check that qemu-nbd works and that OMA may open ports of its range, then start the backup again',
        });
      }
      return resultOf(running);
    });
  }

  async ended({ exportId, limits }: Start['args'], { pid, startTicks }: Start['result']): Promise<string | null> {
    if (!(await this.nbdExports.isAlive({ pid, startTicks }))) return 'the export of a disk ended by itself';
    await this.nbdExports.keepOpen(exportId, limits);
    return null;
  }
}

/** Ends an export without asking whether its image is any good. */
export class StopExportExecutor implements EffectExecutor<Stop['args']> {
  readonly kind = 'export.stop';
  readonly reach = 'machine';

  constructor(private readonly nbdExports: NbdExports) {}

  async observe({ exportId }: Stop['args']): Promise<Observation> {
    const gone =
      (await this.nbdExports.process(exportId)) === null && (await this.nbdExports.ports.find(exportId)) === null;
    return gone ? { state: 'done', result: {} } : { state: 'partial' };
  }

  async execute({ exportId }: Stop['args']): Promise<Stop['result']> {
    const daemon = await this.nbdExports.process(exportId);
    if (daemon !== null) await this.nbdExports.stop(daemon, STOP_GRACE_SECONDS);
    await this.nbdExports.tidy(exportId);
    await this.nbdExports.ports.release(exportId);
    return {};
  }
}

/**
 * Ends an export and proves the clean end (docs/adr/0007): it was asked to end before it was gone, it went by itself, as
 * our own child with exit code 0, the header says that everything was written, and file and folder are on the disk.
 */
export class FinishExportExecutor implements EffectExecutor<Finish['args']> {
  readonly kind = 'export.finish';
  readonly reach = 'machine';

  constructor(private readonly nbdExports: NbdExports) {}

  async observe({ exportId }: Finish['args']): Promise<Observation> {
    const row = await this.nbdExports.ports.find(exportId);
    if (row?.closed == null || !(await this.nbdExports.isTidy(exportId))) return { state: 'partial' };
    return { state: 'done', result: { exitCode: row.closed.exitCode } };
  }

  execute({ exportId, ...place }: Finish['args'], { signal }: EffectContext): Promise<Finish['result']> {
    return inUserWords(async () => {
      const row = await this.nbdExports.ports.find(exportId);
      if (row === null) throw notClean('the export of a disk was not open');
      if (row.closed !== null) {
        await this.nbdExports.tidy(exportId);
        return { exitCode: row.closed.exitCode };
      }
      const daemon = await this.nbdExports.process(exportId);
      if (daemon === null && !row.stopAsked) throw notClean('the export of a disk ended before it was asked to');
      await this.nbdExports.ports.stopAsked(exportId);
      const known = daemon ?? row.daemon;
      const end =
        known === null
          ? { exitCode: null, killed: false }
          : await unlessAborted(this.nbdExports.stop(known, FINISH_GRACE_SECONDS), signal);
      if (end.killed) throw notClean('the export of a disk did not end and had to be killed');
      if (end.exitCode !== null && end.exitCode !== 0) throw notClean('the export of a disk ended with an error');
      await this.refuseWrongClients(exportId, place);
      await provenOnDisk(place);
      await this.nbdExports.ports.closed(exportId, end.exitCode);
      // Last: who comes back after a crash needs the log again.
      await this.nbdExports.tidy(exportId);
      return { exitCode: end.exitCode };
    });
  }

  /** One writer at most; and one there must have been, unless it is an increment, of which nothing may have changed. */
  private async refuseWrongClients(exportId: string, { layers }: ImagePlace): Promise<void> {
    const served = await this.nbdExports.clientsServed(exportId);
    if (served === null) throw notClean('it can not be told any more who came to the export of a disk');
    if (!served.gated && served.count > 1) throw secondClient();
    if (served.count === 0 && layers.length === 0) throw nobodyCame();
  }
}

async function provenOnDisk(place: ImagePlace): Promise<void> {
  const { file, header } = await openImage(place);
  if (header.dirty) throw notClean('the image was not closed cleanly: writes are missing in it');
  await fsyncPath(file);
  await fsyncPath(dirname(file));
}

function resultOf(running: { port: number; daemon: { pid: number; startTicks: number } }): Start['result'] {
  return { port: running.port, pid: running.daemon.pid, startTicks: running.daemon.startTicks };
}

function notClean(message: string): EffectError {
  return new EffectError('permanent', { code: 'export-not-clean', message, remedy: 'start the backup again' });
}

function secondClient(): EffectError {
  return new EffectError('permanent', {
    code: 'export-second-client',
    message: 'a second client came to the export of a disk after the first: the image may hold what it wrote',
    remedy: 'start the backup again; find out who else can reach the port',
  });
}

function nobodyCame(): EffectError {
  return new EffectError('permanent', {
    code: 'export-unused',
    message: 'nobody came to the export of a disk that was to be copied whole',
    remedy: "look into the agent's log, then start the backup again",
  });
}

function noPort(error: unknown): never {
  if (!(error instanceof NoFreePort)) throw error;
  const failure = {
    code: 'no-free-port',
    message: 'every port for exports is in use',
    remedy: 'wait for other backups to end or set a larger OMA_NBD_PORTS range',
  };
  throw new EffectError('transient', failure, { cause: error });
}

async function unlessAborted<Result>(work: Promise<Result>, signal: AbortSignal): Promise<Result> {
  signal.throwIfAborted();
  let onAbort: () => void = () => undefined;
  const aborted = new Promise<never>((_, reject) => {
    onAbort = () => {
      reject(new Error('given up while an export was ending'));
    };
    signal.addEventListener('abort', onAbort, { once: true });
  });
  try {
    return await Promise.race([work, aborted]);
  } finally {
    signal.removeEventListener('abort', onAbort);
  }
}
