import { createHash } from 'node:crypto';
import { type FileHandle, open } from 'node:fs/promises';
import { setImmediate } from 'node:timers/promises';

import type { ProcessRunner } from '#platform/processes/process-runner.port';
import { openPart, publish } from '#platform/repositories/durable-file';
import type { SourceRange } from '#platform/vma/vma-client.port';

import {
  added,
  endLine,
  headerLine,
  type ManifestHeader,
  type ManifestPiece,
  NO_SUMS,
  pieceLine,
} from './content-manifest.js';
import { atPlace } from './content-cut-off.js';
import type { HashSource, HashWorkers } from './hash-workers.js';
import { ownContent } from './own-content.js';
import { compareWindow, SourceDiffers } from './source-comparison.js';
import { type Window, windows } from './windows.js';

const FLUSH_CHARACTERS = 64 * 1024;

export interface Proof {
  readonly manifestSha256: string;
  readonly dataBytes: number;
  readonly zeroBytes: number;
}

export interface ProofOrder {
  /** The layer's image file, closed. */
  readonly file: string;
  readonly manifestFile: string;
  readonly header: ManifestHeader;
  /** What the agent read; null when it doesn't say. */
  readonly source: AsyncIterable<SourceRange> | null;
  readonly signal: AbortSignal;
}

/** Reads what layers themselves hold, straight from their files, and writes it down as content manifests. */
export class ContentProver {
  constructor(
    private readonly runner: ProcessRunner,
    private readonly workers: HashWorkers,
  ) {}

  /**
   * Writes the manifest whole or not at all. Throws SourceDiffers or SourceRangesWrong when the agent read something else,
   * MapUnreadable or ContentCutOff when the image can't be read.
   */
  async prove({ file, manifestFile, header, source, signal }: ProofOrder): Promise<Proof> {
    const image = await open(file, 'r');
    try {
      const { dev: storage } = await image.stat();
      const { partial, handle: manifest } = await openPart(manifestFile);
      let proof: Proof;
      try {
        const isFull = header.parentManifestSha256 === null;
        const found = windows(ownContent(this.runner, file, signal), source, header.sizeBytes);
        const checked = source === null ? found : complete(found, header.sizeBytes, isFull);
        proof = await written(
          manifest,
          header,
          this.hashed({ fd: image.fd, storage, workers: this.workers }, checked, source !== null, isFull),
        );
      } finally {
        await manifest.close();
      }
      await publish(partial, manifestFile);
      return proof;
    } finally {
      await image.close();
    }
  }

  /** In order, with the next window under way while one is waited for. */
  private async *hashed(
    image: Open,
    found: AsyncIterable<Window>,
    compare: boolean,
    isFull: boolean,
  ): AsyncGenerator<readonly ManifestPiece[]> {
    const underWay: Promise<readonly ManifestPiece[]>[] = [];
    try {
      for await (const window of found) {
        // What is compared without reading takes no turn by itself, and others want theirs.
        await setImmediate();
        const work = hashWindow(image, window, compare ? { isFull } : null);
        // Waited for in its turn; until then a failure isn't nobody's.
        work.catch(() => undefined);
        underWay.push(work);
        if (underWay.length > image.workers.atOnce) yield (await underWay.shift()) ?? [];
      }
      for (const work of underWay) yield await work;
    } finally {
      await Promise.allSettled(underWay);
    }
  }
}

type Open = HashSource & { readonly workers: HashWorkers };

async function hashWindow(
  image: Open,
  window: Window,
  compare: { readonly isFull: boolean } | null,
): Promise<readonly ManifestPiece[]> {
  const work = window.pieces.map(async ({ offset, length, stretches }) => {
    const sha256 = stretches === null ? null : await image.workers.hash(image, stretches).catch(atPlace(offset));
    return { offset, length, sha256 };
  });
  // The file is closed when this rejects: then no thread may still read from it.
  await Promise.allSettled(work);
  const hashes = await Promise.all(work);
  if (compare !== null) await compareWindow(window, hashes, image, compare.isFull);
  return hashes;
}

/** Of a full copy the agent must have read the whole disk, without a gap. */
async function* complete(found: AsyncIterable<Window>, sizeBytes: number, isFull: boolean): AsyncGenerator<Window> {
  let reached = 0;
  for await (const window of found) {
    for (const { offset, length } of isFull ? window.ranges : []) {
      if (offset !== reached) throw new SourceDiffers(reached, offset - reached, 'the agent did not read the disk');
      reached = offset + length;
    }
    yield window;
  }
  if (isFull && reached !== sizeBytes) {
    throw new SourceDiffers(reached, sizeBytes - reached, 'the agent did not read the disk');
  }
}

async function written(
  manifest: FileHandle,
  header: ManifestHeader,
  groups: AsyncIterable<readonly ManifestPiece[]>,
): Promise<Proof> {
  const hash = createHash('sha256');
  let text = headerLine(header);
  let sums = NO_SUMS;
  const flush = async () => {
    hash.update(text);
    await manifest.writeFile(text);
    text = '';
  };
  for await (const pieces of groups) {
    for (const piece of pieces) {
      sums = added(sums, piece);
      text += pieceLine(piece);
    }
    if (text.length > FLUSH_CHARACTERS) await flush();
  }
  text += endLine(sums);
  await flush();
  return { manifestSha256: hash.digest('hex'), dataBytes: sums.dataBytes, zeroBytes: sums.zeroBytes };
}
