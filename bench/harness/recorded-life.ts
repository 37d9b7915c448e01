import { setTimeout as pause } from 'node:timers/promises';

import { Database } from '#platform/database/database';

import { RECORDED } from '../guests.js';
import type { BenchContext } from './bench.js';
import { World } from './world.js';

const REST_MS = 400;
const VM_STREAM = 'context-';

/** One event as it lies in the log. */
export interface RecordedEvent {
  readonly stream: string;
  readonly revision: string;
  readonly type: string;
  /** Id, data and metadata with tabs between them. */
  readonly text: string;
}

/** What one VM's life leaves in the log, in chapters that end with nothing under way. */
export interface Life {
  /** The VM is added. */
  readonly beginning: readonly RecordedEvent[];
  /** It is backed up whole, then in part, a point is verified, one is mounted, and closed. */
  readonly chapters: readonly (readonly RecordedEvent[])[];
  /** Ids of what all VMs share: people, repositories, credentials. */
  readonly shared: ReadonlySet<string>;
}

/** Where OMA lives that records. */
export interface Home {
  readonly dataDir: string;
  readonly databaseUrl: string;
  readonly password: string;
}

export const ID = /[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}/g;

/** Lets a real OMA live through it with a VM of the lab, and reads the log that this left. */
export async function recordLife(context: BenchContext, home: Home): Promise<Life> {
  const world = await World.enter({ ...context, scale: 1 }, [RECORDED], { oma: home });
  const database = new Database(home.databaseUrl);
  try {
    const borders = [await headAtRest(database)];
    const endChapter = async () => {
      borders.push(await headAtRest(database));
    };
    const { backup } = await world.backUp(RECORDED);
    await endChapter();
    await world.backUp(RECORDED, 'incremental');
    await endChapter();
    await world.verify(backup);
    await endChapter();
    await world.unmount(await world.mount(backup));
    await endChapter();
    await world.leave();
    return await lifeIn(database, borders);
  } finally {
    await database.close();
  }
}

/** The head once nothing was added for a while: the last events of a job come after its end was told. */
async function headAtRest(database: Database): Promise<number> {
  let before = -1;
  for (;;) {
    const [row] = await database.query<{ position: string }>('select position from es.head');
    const head = Number(row?.position);
    if (head === before) return head;
    before = head;
    await pause(REST_MS);
  }
}

async function lifeIn(database: Database, borders: readonly number[]): Promise<Life> {
  const events = await database.query<RecordedEvent & { position: string }>(
    `select position, stream, revision, type, concat_ws(E'\\t', id, data, metadata) as text from es.event order by position`,
  );
  // Whatever speaks of the VM is of its life, also what was reserved for it before it was there.
  const vm = events.find(({ stream }) => stream.startsWith(VM_STREAM))?.stream.slice(VM_STREAM.length);
  if (vm === undefined) throw new Error('the recorded log has no VM');
  const first = events.findIndex(({ stream, text }) => stream.includes(vm) || text.includes(vm));
  const shared = new Set(events.slice(0, first).flatMap(({ stream, text }) => `${stream} ${text}`.match(ID) ?? []));
  // What was set up for all VMs may still have been at work when the VM came.
  const isOfVm = ({ stream }: RecordedEvent) => (stream.match(ID) ?? []).some((id) => !shared.has(id));
  const own = events.slice(first).filter(isOfVm);
  const between = (from: number, to: number) =>
    own.filter(({ position }) => Number(position) > from && Number(position) <= to);
  const [begun = 0, ...ends] = borders;
  return {
    beginning: between(0, begun),
    chapters: ends.map((end, index) => between(borders[index] ?? 0, end)),
    shared,
  };
}
