import { hashLine } from './vma.schemas.js';
import { VmaAway, VmaRefuses, VmaTalksNonsense } from './vma.errors.js';
import type { SourceRange } from './vma-client.port.js';

const MAX_LINE_BYTES = 1024;
const NOT_OFFERED = [404, 405, 501];

/** Aborts when nothing comes for so long while somebody waits. */
class Watch {
  private readonly late = new AbortController();
  private timer: NodeJS.Timeout | undefined;

  constructor(private readonly idleMs: number) {}

  get signal(): AbortSignal {
    return this.late.signal;
  }

  arm(): void {
    this.timer = setTimeout(() => {
      this.late.abort();
    }, this.idleMs);
  }

  disarm(): void {
    clearTimeout(this.timer);
  }
}

/**
 * What an agent read, line by line as it comes, so that nothing grows with the disk. null when it doesn't offer it. Throws
 * VmaAway when nothing comes for `idleMs`, VmaTalksNonsense for anything but well-formed lines with a true end, VmaRefuses.
 */
export async function sourceRanges(
  url: string,
  idleMs: number,
  signal: AbortSignal,
): Promise<AsyncIterable<SourceRange> | null> {
  const watch = new Watch(idleMs);
  watch.arm();
  try {
    const response = await fetch(url, { redirect: 'error', signal: AbortSignal.any([signal, watch.signal]) });
    if (response.status === 200 && response.body !== null) return parsed(response.body, watch, signal);
    await response.body?.cancel();
    watch.disarm();
    if (NOT_OFFERED.includes(response.status)) return null;
    throw new VmaRefuses(`it answered ${response.status} to the question what it read`);
  } catch (error) {
    watch.disarm();
    signal.throwIfAborted();
    if (error instanceof VmaRefuses) throw error;
    throw new VmaAway();
  }
}

async function* parsed(
  body: ReadableStream<Uint8Array>,
  watch: Watch,
  signal: AbortSignal,
): AsyncGenerator<SourceRange> {
  let ranges = 0;
  let ended = false;
  try {
    for await (const line of lines(body, watch)) {
      if (ended) throw new VmaTalksNonsense('there is more after the end of what it read');
      const said = understood(line);
      if (!('end' in said)) {
        ranges += 1;
        yield said;
      } else if (said.ranges === ranges) {
        ended = true;
      } else {
        throw new VmaTalksNonsense('parts are missing of what it read');
      }
    }
  } catch (error) {
    signal.throwIfAborted();
    throw error instanceof VmaTalksNonsense ? error : new VmaAway();
  } finally {
    watch.disarm();
  }
  if (!ended) throw new VmaTalksNonsense('what it read is cut off');
}

async function* lines(body: ReadableStream<Uint8Array>, watch: Watch): AsyncGenerator<string> {
  const decoder = new TextDecoder();
  let rest = '';
  for await (const part of body as unknown as AsyncIterable<Uint8Array>) {
    // While OMA itself is busy with what came, nobody is late.
    watch.disarm();
    const pieces = (rest + decoder.decode(part, { stream: true })).split('\n');
    rest = pieces.pop() ?? '';
    if (rest.length > MAX_LINE_BYTES) throw new VmaTalksNonsense('a line of what it read is too long');
    yield* pieces;
    watch.arm();
  }
  if (rest !== '') yield rest;
}

function understood(line: string) {
  let json: unknown;
  try {
    json = JSON.parse(line);
  } catch {
    throw new VmaTalksNonsense("a line of what it read isn't JSON");
  }
  const read = hashLine.safeParse(json);
  if (!read.success) throw new VmaTalksNonsense('a line of what it read is wrong');
  return read.data;
}
