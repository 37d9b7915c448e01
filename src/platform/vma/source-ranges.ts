import { within } from '#platform/clock/within';
import { hashLine } from './vma.schemas.js';
import { VmaAway, VmaRefuses, VmaTalksNonsense } from './vma.errors.js';
import type { SourceRange } from './vma-client.port.js';

const MAX_LINE_BYTES = 1024;
const NOT_OFFERED = [404, 405, 501];

/**
 * What an agent read, line by line as it comes, so that nothing grows with the disk. null when it doesn't offer it. Throws
 * VmaAway when nothing comes for `idleMs`, VmaTalksNonsense for anything but well-formed lines with a true end, VmaRefuses.
 */
export async function sourceRanges(
  url: string,
  idleMs: number,
  signal: AbortSignal,
): Promise<AsyncIterable<SourceRange> | null> {
  try {
    const response = await within(idleMs, signal, async (either) => fetch(url, { redirect: 'error', signal: either }));
    if (response.status === 200) return parsed(response, idleMs, signal);
    await response.body?.cancel();
    if (NOT_OFFERED.includes(response.status)) return null;
    throw new VmaRefuses(`it answered ${response.status} to the question what it read`);
  } catch (error) {
    signal.throwIfAborted();
    if (error instanceof VmaRefuses) throw error;
    throw new VmaAway();
  }
}

async function* parsed(response: Response, idleMs: number, signal: AbortSignal): AsyncGenerator<SourceRange> {
  let ranges = 0;
  let ended = false;
  try {
    for await (const line of lines(response, idleMs, signal)) {
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
  }
  if (!ended) throw new VmaTalksNonsense('what it read is cut off');
}

/** Takes the answer and not its body: the body of an answer that nobody holds any more is thrown away unread. */
async function* lines(response: Response, idleMs: number, signal: AbortSignal): AsyncGenerator<string> {
  const reader = response.body?.getReader();
  if (reader === undefined) return;
  const decoder = new TextDecoder();
  let rest = '';
  try {
    for (;;) {
      // Nobody is late while OMA itself is busy with what came.
      const { value } = (await within(idleMs, signal, async () => reader.read())) as { readonly value?: Uint8Array };
      if (value === undefined) break;
      const pieces = (rest + decoder.decode(value, { stream: true })).split('\n');
      rest = pieces.pop() ?? '';
      if (rest.length > MAX_LINE_BYTES) throw new VmaTalksNonsense('a line of what it read is too long');
      yield* pieces;
    }
  } finally {
    // The connection may be broken already; then there is nothing to let go of.
    reader.cancel().catch(() => undefined);
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
