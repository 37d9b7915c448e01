import type { CommandContext } from '#domain/kernel/command-context';
import { DomainError } from '#domain/kernel/domain-error';
import { pause } from '#platform/clock/pause';
import { newId } from '#platform/ids/ids';
import type { CheckStatus } from '#platform/projections/check-log';
import type { ProjectionStatus } from '#platform/projections/projection-progress.port';
import { CannotStart } from '#platform/start/cannot-start';

import { checkResponse, projectionResponse } from '../modules/operations/projection.response.js';
import type { Command } from './command.js';
import { EXIT, type Exit } from './exit.js';
import { remedyOf } from './remedies.js';
import { Unreachable, Workplace } from './workplace.js';
import { buildingLine, checkLines, listLines, statusLines } from './table.js';
import { type Verdict, verdictOn } from './verdict.js';

export interface CommandSurroundings {
  readonly environment: Readonly<Record<string, string | undefined>>;
  readonly signal: AbortSignal;
  readonly out: (text: string) => void;
  readonly tell: (line: string) => void;
}

const LOOK_MS = 200;
const TELL_MS = 2000;
const AGAIN_MS = 1000;

/** Does one command on the database and says how it ended. */
export async function runCommand(command: Command, surroundings: CommandSurroundings): Promise<Exit> {
  let place: Workplace | undefined;
  try {
    place = await Workplace.open(surroundings.environment);
    return await new ProjectionCommand(command, surroundings, place).run();
  } catch (error) {
    surroundings.tell(error instanceof Error ? error.message : 'something went wrong');
    const remedy = error instanceof DomainError ? remedyOf(error) : undefined;
    if (remedy !== undefined) surroundings.tell(remedy);
    if (error instanceof DomainError) return error.kind === 'not-found' ? EXIT.usage : EXIT.failed;
    return error instanceof Unreachable || error instanceof CannotStart ? EXIT.unreachable : EXIT.failed;
  } finally {
    await place?.close();
  }
}

class ProjectionCommand {
  constructor(
    private readonly command: Command,
    private readonly surroundings: CommandSurroundings,
    private readonly place: Workplace,
  ) {}

  async run(): Promise<Exit> {
    const { action, names, eventId } = this.command;
    const { orders } = this.place;
    const [name = ''] = names;
    switch (action) {
      case 'list':
      case 'status':
        return this.show(name === '' ? await orders.all() : [await orders.one(name)]);
      case 'rebuild':
        return this.rebuild(await this.wanted());
      case 'verify':
        return this.verify(await this.wanted());
      case 'retry':
        return this.show([await orders.retry(name, this.context())]);
      case 'cancel':
        return this.show([await orders.cancel(name, this.context())]);
      case 'skip':
        return this.show([await orders.skip(name, eventId, this.context())]);
    }
  }

  /** Asked for before anything begins: a name that is wrong stops all of it. */
  private async wanted(): Promise<readonly string[]> {
    const { names } = this.command;
    if (names.length === 0) return (await this.place.orders.all()).map(({ name }) => name);
    for (const name of names) await this.place.orders.one(name);
    return names;
  }

  private async rebuild(names: readonly string[]): Promise<Exit> {
    const ended: ProjectionStatus[] = [];
    for (const name of names) {
      const { building } = await this.place.orders.rebuild(name, this.context());
      const status = await this.workingUntil(this.rebuilt(name), (signal) => this.place.build(name, signal));
      if (this.surroundings.signal.aborted) {
        this.surroundings.tell(`OMA goes on with it when it runs; "oma projections cancel ${name}" gives it up`);
        return EXIT.interrupted;
      }
      if (building !== null && status.building === null && status.generation < building.generation) {
        this.surroundings.tell(`${name}: the rebuild was cancelled`);
        return EXIT.failed;
      }
      ended.push(status);
    }
    return this.show(ended);
  }

  /** Another instance may be the one that builds: the registry tells all. */
  private async rebuilt(name: string): Promise<ProjectionStatus> {
    const { signal, tell } = this.surroundings;
    for (let told = performance.now(); ;) {
      const status = await this.place.orders.one(name);
      if (status.building?.status !== 'building' || signal.aborted) return status;
      if (performance.now() - told > TELL_MS) {
        told = performance.now();
        tell(buildingLine(name, status.building));
      }
      await pause(LOOK_MS, signal);
    }
  }

  private async verify(names: readonly string[]): Promise<Exit> {
    const ended: CheckStatus[] = [];
    for (const name of names) {
      const { id } = await this.place.orders.verify(name, this.context());
      const check = await this.workingUntil(this.checked(name, id), (signal) => this.place.check(name, id, signal));
      if (this.surroundings.signal.aborted) return EXIT.interrupted;
      ended.push(check);
    }
    const { out } = this.surroundings;
    if (this.command.json) out(JSON.stringify({ verifications: ended.map(checkResponse) }, null, 2));
    else for (const line of checkLines(ended)) out(line);
    return exitOf(ended.map(verdictOn));
  }

  private async checked(name: string, id: string): Promise<CheckStatus> {
    for (;;) {
      const check = await this.place.orders.check(name, id);
      if (check.status !== 'running' || this.surroundings.signal.aborted) return check;
      await pause(LOOK_MS, this.surroundings.signal);
    }
  }

  /** Works whenever nobody else does: the instance that is at it may go away before it is through. */
  private async workingUntil<Result>(
    over: Promise<Result>,
    work: (signal: AbortSignal) => Promise<void>,
  ): Promise<Result> {
    const { signal } = this.surroundings;
    let isOver = false;
    const ended = over.finally(() => {
      isOver = true;
    });
    const working = async () => {
      while (!isOver && !signal.aborted) {
        await work(signal);
        await Promise.race([ended, pause(AGAIN_MS, signal)]);
      }
    };
    const [result] = await Promise.all([ended, working()]);
    return result;
  }

  private show(statuses: readonly ProjectionStatus[]): Exit {
    const { out } = this.surroundings;
    const lines = this.command.action === 'list' ? listLines : statusLines;
    if (this.command.json) out(JSON.stringify({ projections: statuses.map(projectionResponse) }, null, 2));
    else for (const line of lines(statuses)) out(line);
    const stopped = statuses.some(({ status, building }) => status === 'stopped' || building?.status === 'stopped');
    return stopped ? EXIT.failed : EXIT.done;
  }

  /** Whoever may reach the database; the reason is in the log as it was given. */
  private context(): CommandContext {
    const commandId = newId();
    const { reason } = this.command;
    return {
      actor: { kind: 'system', id: 'command-line' },
      correlationId: commandId,
      causationId: commandId,
      commandId,
      ...(reason !== undefined && { reason }),
    };
  }
}

/** A script need not look at rows that are only behind, but compare them again later. */
function exitOf(verdicts: readonly Verdict[]): Exit {
  if (verdicts.every((verdict) => verdict === 'same')) return EXIT.done;
  return verdicts.every((verdict) => verdict === 'same' || verdict === 'behind') ? EXIT.behind : EXIT.failed;
}
