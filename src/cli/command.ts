import { parseArgs } from 'node:util';

export const USAGE = `usage: oma projections list|status [NAME] [--json]
       oma projections rebuild|verify NAME…|--all [--reason TEXT] [--json]
       oma projections retry|cancel NAME [--reason TEXT] [--json]
       oma projections skip NAME EVENT_ID --reason TEXT [--json]

  list     the projections and the versions of their rows
  status   how far they are, and why they stopped
  rebuild  build rows anew beside the live ones and swap them in
  verify   compare live rows with what the log gives
  retry    let what stopped try its event again
  cancel   give up a rebuild
  skip     let what stopped go on without its event

It works on the database itself (DATABASE_URL, or the embedded one in OMA_DATA_DIR), whether OMA runs or not.
Exit codes: 0 done, 1 differences, stopped, failed or refused, 2 usage, 3 database, log or settings can't be used, 130 interrupted.`;

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

/** Null when it can't be understood. */
export function readCommand(words: readonly string[]): Command | 'help' | null {
  try {
    const { values, positionals } = parseArgs({
      args: [...words],
      allowPositionals: true,
      options: {
        json: { type: 'boolean', default: false },
        all: { type: 'boolean', default: false },
        help: { type: 'boolean', short: 'h', default: false },
        reason: { type: 'string' },
      },
    });
    if (values.help) return 'help';
    const [subject, said, ...rest] = positionals;
    const action = ACTIONS.find((one) => one === said);
    if (subject !== 'projections' || action === undefined) return null;
    const names = action === 'skip' ? rest.slice(0, 1) : rest;
    const command = { action, names, eventId: rest[1] ?? '', reason: values.reason, json: values.json };
    return isWhole(command, rest.length, values.all) ? command : null;
  } catch {
    return null;
  }
}

function isWhole({ action, reason }: Command, words: number, all: boolean): boolean {
  switch (action) {
    case 'list':
    case 'status':
      return words <= 1 && !all;
    case 'rebuild':
    case 'verify':
      return all ? words === 0 : words > 0;
    case 'retry':
    case 'cancel':
      return words === 1 && !all;
    case 'skip':
      return words === 2 && !all && reason !== undefined;
  }
}
