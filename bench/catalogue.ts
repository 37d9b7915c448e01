import { append } from './benches/append.js';
import { archive } from './benches/archive.js';
import { backup } from './benches/backup.js';
import { chain } from './benches/chain.js';
import { incremental } from './benches/incremental.js';
import { memory } from './benches/memory.js';
import { mount } from './benches/mount.js';
import { reads } from './benches/reads.js';
import { rebuild } from './benches/rebuild.js';
import { stream } from './benches/stream.js';
import type { Bench } from './harness/bench.js';

/** All benches, in the order in which they run. */
export const BENCHES: readonly Bench[] = [
  backup,
  incremental,
  memory,
  mount,
  chain,
  archive,
  append,
  rebuild,
  reads,
  stream,
];
