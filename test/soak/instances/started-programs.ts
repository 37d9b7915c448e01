import { chmodSync, existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { delimiter, join } from 'node:path';

/** The one disk that each VM of the soak has. */
const DEVICE_KEY = 2000;
const PROGRAMS = ['qemu-img', 'qemu-nbd', 'nbdfuse', 'fuse2fs'];

/** A program that was started for a step, and when. */
export interface Started {
  readonly atMs: number;
  readonly program: string;
  readonly stream: string;
  readonly step: string;
}

/**
 * The programs that make something, each behind a script that writes its start down first: what really ran, whatever OMA
 * believes.
 */
export class StartedPrograms {
  private readonly journal: string;

  constructor(private readonly folder: string) {
    this.journal = join(folder, 'journal');
    mkdirSync(folder, { recursive: true });
    for (const program of PROGRAMS) {
      const script = join(folder, program);
      const real = whereIs(program);
      writeFileSync(
        script,
        `#!/bin/bash\nprintf '%s\\t${program}\\t%s\\n' "$EPOCHREALTIME" "$*" >> '${this.journal}'\nexec '${real}' "$@"\n`,
      );
      chmodSync(script, 0o755);
    }
  }

  /** For OMA's environment. */
  get path(): string {
    return `${this.folder}${delimiter}${process.env['PATH'] ?? ''}`;
  }

  /** Every start that made something, in order. */
  get starts(): readonly Started[] {
    if (!existsSync(this.journal)) return [];
    const lines = readFileSync(this.journal, 'utf8').split('\n').slice(0, -1);
    return lines.flatMap((line) => {
      const [time = '', program = '', args = ''] = line.split('\t');
      const step = stepOf(program, args);
      return step === null ? [] : [{ atMs: Number(time.replace(',', '.')) * 1000, program, ...step }];
    });
  }
}

function whereIs(program: string): string {
  const found = (process.env['PATH'] ?? '').split(delimiter).find((folder) => existsSync(join(folder, program)));
  if (found === undefined) throw new Error(`${program} is not installed`);
  return join(found, program);
}

/** Whose step a command line is; null for one that only looks. */
function stepOf(program: string, args: string): { readonly stream: string; readonly step: string } | null {
  const [, exportedJob, exportedKey] = /--pid-file=\S*\/exports\/([0-9a-f-]{36})-(\d+)\//.exec(args) ?? [];
  if (exportedJob !== undefined) return { stream: `takebackup-${exportedJob}`, step: `export:${exportedKey ?? ''}` };
  const [, mountId, place = ''] = /\/mounts\/([0-9a-f-]{36})\/(\S*)/.exec(args) ?? [];
  if (mountId !== undefined) {
    const step = mountStep(program, args, place);
    return step === null ? null : { stream: `restoremount-${mountId}`, step };
  }
  const [, imageJob] = /\/disk-\d+\/([0-9a-f-]{36})\.qcow2\.part/.exec(args) ?? [];
  if (program !== 'qemu-img' || !args.startsWith('create') || imageJob === undefined) return null;
  return { stream: `takebackup-${imageJob}`, step: `image:${DEVICE_KEY}` };
}

function mountStep(program: string, args: string, place: string): string | null {
  const [, partition] = /\/(?:fs|slice)-(\d+)/.exec(args) ?? [];
  if (partition !== undefined) return `partition:${partition}`;
  if (program === 'qemu-img') return args.startsWith('create') && place.startsWith('overlay') ? 'overlay' : null;
  return program === 'qemu-nbd' ? 'export' : 'disk';
}
