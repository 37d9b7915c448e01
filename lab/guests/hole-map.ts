import { z } from 'zod';

import type { Extent } from '../tracking/extents.js';
import { runProgram } from './program.js';

const map = z.array(z.object({ start: z.int(), length: z.int(), data: z.boolean(), zero: z.boolean() }));

/** The holes of a sparse file, in rising order; none where they can't be told, so that everything is read. */
export async function holesOf(file: string): Promise<readonly Extent[]> {
  try {
    const told = map.parse(JSON.parse(await runProgram('qemu-img', ['map', '--output=json', '-f', 'raw', file])));
    return told.filter(({ data, zero }) => zero && !data).map(({ start, length }) => ({ offset: start, length }));
  } catch {
    return [];
  }
}

/** Whether all of an extent lies in one of the holes. */
export function isInHole(holes: readonly Extent[], { offset, length }: Extent): boolean {
  let [from, past] = [0, holes.length];
  while (from < past) {
    const middle = (from + past) >>> 1;
    if ((holes[middle]?.offset ?? 0) <= offset) from = middle + 1;
    else past = middle;
  }
  const hole = holes[from - 1];
  return hole !== undefined && offset + length <= hole.offset + hole.length;
}
