import { parseArgs } from 'node:util';

export const USAGE = `usage: oma projections list|status [NAME] [--json]
       oma projections rebuild|verify NAME…|--all [--reason TEXT] [--json]
       oma projections retry|cancel NAME [--reason TEXT] [--json]
       oma projections skip NAME EVENT_ID --reason TEXT [--json]

  list     the projections and the versions of their rows
  status   how far they are, and why they stopped
  rebuild  build rows anew beside the live ones and swap them in
  verify   compare live rows with what the log gives up to where they are, and tell whether that is all of it
  retry    let what stopped try its event again; what comes of it is in "status" a moment later, while OMA runs
  cancel   give up a rebuild
  skip     let what stopped go on without its event

It works on the database itself (DATABASE_URL, or the embedded one in OMA_DATA_DIR), whether OMA runs or not.
Exit codes: 0 done, 1 differences, stopped, failed or refused, 2 usage, 3 database, log or settings can't be used,
4 rows are right as far as they are, but behind the log (verify), 130 interrupted.`;

const ACTIONS = ['list', 'status', 'rebuild', 'verify', 'retry', 'cancel', 'skip'] as const;
type Action = (typeof ACTIONS)[number];

export interface Command {
  readonly action: Action;
  /** Empty for all. */
  readonly names: readonly string[];
  /** Of `skip` alone. */
  readonly eventId: string;
  readonly reason: string | undefined;
  readonly json: boolean;
}

/** It can't be understood; the message names the word that is wrong or missing. */
export class Misuse extends Error {}

/** Throws Misuse. */
export function readCommand(words: readonly string[]): Command | 'help' {
  const { values, positionals } = parsed(words);
  if (values.help) return 'help';
  const [subject, said, ...rest] = positionals;
  if (subject === undefined) throw new Misuse('there is no command');
  if (subject !== 'projections') throw new Misuse(`there is no command "${subject}"`);
  if (said === undefined) throw new Misuse(`"projections" needs an action: ${ACTIONS.join(', ')}`);
  const action = ACTIONS.find((one) => one === said);
  if (action === undefined) throw new Misuse(`"projections" has no action "${said}"; it has ${ACTIONS.join(', ')}`);
  if (rest.includes('')) throw new Misuse(`"${action}" was given an empty name`);
  requireWhole(action, rest, values);
  const names = action === 'skip' ? rest.slice(0, 1) : rest;
  const eventId = action === 'skip' ? (rest[1] ?? '') : '';
  return { action, names, eventId, reason: values.reason, json: values.json };
}

function parsed(words: readonly string[]) {
  try {
    return parseArgs({
      args: [...words],
      allowPositionals: true,
      options: {
        json: { type: 'boolean', default: false },
        all: { type: 'boolean', default: false },
        help: { type: 'boolean', short: 'h', default: false },
        reason: { type: 'string' },
      },
    });
  } catch (error) {
    // What stands behind the first sentence is advice for positional arguments that begin with a dash.
    throw new Misuse((error as Error).message.split(/\.?(?:\n|\. |$)/)[0]);
  }
}

interface Options {
  readonly all: boolean;
  readonly reason?: string | undefined;
}

/** What may stand behind an action. */
interface Takes {
  /** What is missing when there is no first word, no second. */
  readonly needs: readonly string[];
  /** How many words there may be, and how that is said. */
  readonly most: number;
  readonly mostSaid: string;
  readonly all?: true;
  readonly reason: 'no' | 'maybe' | 'yes';
}

const LOOKS: Takes = { needs: [], most: 1, mostSaid: 'one name', reason: 'no' };
const FOR_MANY: Takes = { needs: ['names, or --all'], most: Infinity, mostSaid: '', all: true, reason: 'maybe' };
const FOR_ONE: Takes = { needs: ['a name'], most: 1, mostSaid: 'one name', reason: 'maybe' };
const TAKES: Readonly<Record<Action, Takes>> = {
  list: LOOKS,
  status: LOOKS,
  rebuild: FOR_MANY,
  verify: FOR_MANY,
  retry: FOR_ONE,
  cancel: FOR_ONE,
  skip: {
    needs: ['a name', 'the id of the event, which "status" tells'],
    most: 2,
    mostSaid: 'a name and one event',
    reason: 'yes',
  },
};

function requireWhole(action: Action, words: readonly string[], { all, reason }: Options): void {
  const takes = TAKES[action];
  const tooMany = words[takes.most];
  const missing = all ? undefined : takes.needs[words.length];
  if (all && takes.all === undefined) throw new Misuse(`"${action}" does not take --all`);
  if (all && words[0] !== undefined) throw new Misuse(`"${action}" takes --all or names, and "${words[0]}" is a name`);
  if (missing !== undefined) throw new Misuse(`"${action}" needs ${missing}`);
  if (tooMany !== undefined) throw new Misuse(`"${action}" takes ${takes.mostSaid}, and "${tooMany}" is one too many`);
  requireReason(action, takes.reason, reason);
}

function requireReason(action: Action, wanted: Takes['reason'], reason: string | undefined): void {
  if (wanted === 'no' && reason !== undefined) {
    throw new Misuse(`"${action}" does not take --reason: it changes nothing`);
  }
  if (wanted === 'yes' && (reason ?? '').trim() === '') throw new Misuse(`"${action}" needs --reason with a text`);
}
