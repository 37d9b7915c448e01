import { Readable } from 'node:stream';

import { z } from 'zod';

import { FolderTooLarge, MountDoesNotAnswer, PathNotFoundInGuest, PathRefused } from '#domain/restore/mount.errors';
import { builtProgram } from '#platform/processes/built-program';
import {
  type ProcessRunner,
  ProgramOutputTooLarge,
  ProgramTimedOut,
  type RunningProgram,
} from '#platform/processes/process-runner.port';

import { ARCHIVE_FORMATS, type ArchiveFormat } from './archive-format.js';
import { type ByteRange, type GuestEntry, GuestFiles, type GuestPlace } from './guest-files.port.js';
import { componentsOf } from './guest-path.js';
import { announcedBytes, firstLine, provenToEnd } from './piped-file.js';
import { type RestoreAccess, TOUCH_SECONDS } from './restore-access.js';

const READER = 'filesystems/guest-reader.main.js';
const ARCHIVER = 'filesystems/guest-archiver.main.js';

const base64 = z.string().transform((text) => Buffer.from(text, 'base64'));

const entrySchema = z.object({
  name: base64,
  type: z.enum(['file', 'directory', 'symlink', 'fifo', 'socket', 'block', 'char', 'unreadable']),
  size: z.number(),
  mode: z.number(),
  uid: z.number(),
  gid: z.number(),
  mtimeMs: z.number(),
  linkTarget: base64.nullable(),
});

const answerSchema = z.union([
  z.object({ refused: z.enum(['not-found', 'refused']), message: z.string() }),
  z.object({ entries: z.array(entrySchema) }),
  z.object({ entry: entrySchema }),
  z.object({ archive: z.enum(ARCHIVE_FORMATS) }),
]);

/** How long the filesystem of a guest may take. */
export interface GuestTimes {
  readonly answerSeconds: number;
  /** Without a single byte, while somebody wants them. */
  readonly stalledSeconds: number;
}

const GUEST_TIMES: GuestTimes = { answerSeconds: 20, stalledSeconds: 60 };

interface Asked {
  readonly op: 'list' | 'info' | 'read';
  readonly start?: number;
  readonly end?: number;
}

/** Reads by a program of its own for each request (guest-reader.main.ts): a filesystem that hangs can't hang the API. */
export class ProcessGuestFiles extends GuestFiles {
  constructor(
    private readonly runner: ProcessRunner,
    private readonly access: RestoreAccess,
    /** Where the filesystem of a partition is mounted. */
    private readonly mountPoint: (place: GuestPlace) => string,
    private readonly times: GuestTimes = GUEST_TIMES,
  ) {
    super();
  }

  async list(place: GuestPlace, path: Buffer): Promise<readonly GuestEntry[]> {
    const answer = await this.ask(place, path, { op: 'list' });
    if (!('entries' in answer)) throw new MountDoesNotAnswer();
    return answer.entries;
  }

  async info(place: GuestPlace, path: Buffer): Promise<GuestEntry> {
    const answer = await this.ask(place, path, { op: 'info' });
    if (!('entry' in answer)) throw new MountDoesNotAnswer();
    return answer.entry;
  }

  async open(place: GuestPlace, path: Buffer, range?: ByteRange): Promise<Readable> {
    const program = this.runner.pipe(this.call(READER, place, path, { op: 'read', ...range }));
    try {
      const { line, rest } = await firstLine(program.stdout, this.times.answerSeconds);
      const answer = understood(line);
      if (!('entry' in answer)) throw new MountDoesNotAnswer();
      const bytes = range === undefined ? answer.entry.size : range.end - range.start + 1;
      return await this.streamed(place, program, announcedBytes(program, rest, bytes, this.times.stalledSeconds));
    } catch (error) {
      program.kill();
      throw error;
    }
  }

  async archive(place: GuestPlace, path: Buffer, format: ArchiveFormat, name: Buffer): Promise<Readable> {
    const request = { format, name: name.toString('base64') };
    const program = this.runner.pipe(this.call(ARCHIVER, place, path, request));
    try {
      const { line, rest } = await firstLine(program.stdout, this.times.answerSeconds);
      if (!('archive' in understood(line))) throw new MountDoesNotAnswer();
      return await this.streamed(place, program, provenToEnd(program, rest, this.times.stalledSeconds));
    } catch (error) {
      program.kill();
      throw error;
    }
  }

  /** The program lives as long as its stream. */
  private async streamed(
    { mountId }: GuestPlace,
    program: RunningProgram,
    bytes: AsyncIterable<Buffer>,
  ): Promise<Readable> {
    const stream = Readable.from(bytes, { objectMode: false });
    await this.countRead(mountId, stream);
    stream.once('close', () => {
      program.kill();
    });
    return stream;
  }

  /** A mount with a download under way is not idle. */
  private async countRead(mountId: string, stream: Readable): Promise<void> {
    await this.access.readBegan(mountId);
    const touch = setInterval(() => {
      this.access.touch(mountId).catch(() => undefined);
    }, TOUCH_SECONDS * 1000);
    stream.once('close', () => {
      clearInterval(touch);
      this.access.readEnded(mountId).catch(() => undefined);
    });
  }

  private async ask(place: GuestPlace, path: Buffer, asked: Asked) {
    const call = this.call(READER, place, path, asked);
    const [result] = await Promise.all([
      this.runner.run({ ...call, timeoutSeconds: this.times.answerSeconds }).catch((error: unknown) => {
        if (error instanceof ProgramOutputTooLarge) throw new FolderTooLarge();
        throw error instanceof ProgramTimedOut ? new MountDoesNotAnswer() : error;
      }),
      this.access.touch(place.mountId),
    ]);
    if (result.exitCode !== 0) throw new MountDoesNotAnswer();
    return understood(result.stdout);
  }

  private call(program: string, place: GuestPlace, path: Buffer, asked: object) {
    const components = componentsOf(path).map((part) => part.toString('base64'));
    return {
      program: process.execPath,
      args: [builtProgram(program), `--root=${this.mountPoint(place)}`],
      stdin: JSON.stringify({ ...asked, components }),
    };
  }
}

function understood(text: string) {
  const answer = answerSchema.parse(JSON.parse(text));
  if (!('refused' in answer)) return answer;
  throw answer.refused === 'not-found' ? new PathNotFoundInGuest() : new PathRefused(answer.message);
}
