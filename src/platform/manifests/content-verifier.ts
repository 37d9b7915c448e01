import { open } from 'node:fs/promises';
import { createInterface } from 'node:readline';
import type { Readable } from 'node:stream';

import type { LayerDamage } from '#domain/verification/verification';
import type { ProcessRunner } from '#platform/processes/process-runner.port';
import { fromItsStart, NotAFile, openRegular, sha256Of } from '#platform/repositories/file-hash';

import {
  type ManifestHeader,
  ManifestMalformed,
  type ManifestPiece,
  readHeader,
  readPieces,
} from './content-manifest.js';
import { atPlace, ContentEndsBefore, ContentLost } from './content-cut-off.js';
import type { HashSource, HashWorkers } from './hash-workers.js';
import { MapUnreadable, ownContent, type OwnPiece } from './own-content.js';

export interface VerificationOrder {
  readonly file: string;
  readonly manifestFile: string;
  /** What was recorded when the layer was proven. */
  readonly manifestSha256: string;
  readonly header: ManifestHeader;
  readonly signal: AbortSignal;
}

/** Damage found on the way; it ends the reading. */
class Damaged extends Error {
  override readonly name = 'Damaged';
  constructor(readonly damage: LayerDamage) {
    super(damage.reason);
  }
}

/** Compares layers with their content manifests. */
export class ContentVerifier {
  constructor(
    private readonly runner: ProcessRunner,
    private readonly workers: HashWorkers,
  ) {}

  /** The first damage in the order of the disk, or null. Throws what says nothing about the content, and on abort. */
  async verify(order: VerificationOrder): Promise<LayerDamage | null> {
    try {
      await this.compare(order);
      return null;
    } catch (error) {
      order.signal.throwIfAborted();
      return damageIn(error);
    }
  }

  private async compare({ file, manifestFile, manifestSha256, header, signal }: VerificationOrder): Promise<void> {
    const image = await open(file, 'r');
    const manifest = await openRegular(manifestFile).catch(async (error: unknown) => {
      await image.close();
      throw error;
    });
    const underWay: Promise<void>[] = [];
    try {
      const { dev: storage } = await image.stat();
      // Read from the very file that was hashed: the name may lead elsewhere a moment later.
      if ((await sha256Of(manifest)) !== manifestSha256) throw nowhere('the manifest is not the one that was recorded');
      const expected = await manifestOf(fromItsStart(manifest), header);
      for await (const piece of ownContent(this.runner, file, signal)) {
        const { value } = await expected.next();
        const work = this.comparePiece({ fd: image.fd, storage }, piece, sameShape(piece, value));
        work.catch(() => undefined);
        underWay.push(work);
        if (underWay.length > this.workers.atOnce) await underWay.shift();
      }
      for (const work of underWay) await work;
      const { value: missing } = await expected.next();
      if (missing !== undefined) throw at(missing, 'the image lacks what its manifest lists');
    } finally {
      // Damage ends the reading early; no thread may still read from a file that is closed.
      await Promise.allSettled(underWay);
      await manifest.close();
      await image.close();
    }
  }

  private async comparePiece(
    image: HashSource,
    { offset, length, stretches }: OwnPiece,
    sha256: string | null,
  ): Promise<void> {
    if (sha256 === null || stretches === null) return;
    const found = await this.workers.hash(image, stretches).catch(atPlace(offset));
    if (found !== sha256) throw at({ offset, length }, 'the content is not what it was');
  }
}

async function manifestOf(input: Readable, header: ManifestHeader): Promise<AsyncGenerator<ManifestPiece, undefined>> {
  const lines = createInterface({ input, crlfDelay: Infinity })[Symbol.asyncIterator]();
  const first = await lines.next();
  const found = readHeader(first.done === true ? '' : first.value);
  if (JSON.stringify(found) !== JSON.stringify(header)) throw nowhere('the manifest belongs to another image');
  return readPieces({ [Symbol.asyncIterator]: () => lines }, header.sizeBytes) as AsyncGenerator<
    ManifestPiece,
    undefined
  >;
}

/** The hash that the piece must have; null for zeros. */
function sameShape(piece: OwnPiece, expected: ManifestPiece | undefined): string | null {
  const isZero = piece.stretches === null;
  const fits =
    expected?.offset === piece.offset && expected.length === piece.length && (expected.sha256 === null) === isZero;
  if (!fits) throw at(piece, 'the image holds something else here than its manifest lists');
  return expected.sha256;
}

function at({ offset, length }: { readonly offset: number; readonly length: number }, reason: string): Damaged {
  return new Damaged({ reason, offsetBytes: offset, lengthBytes: length });
}

function nowhere(reason: string): Damaged {
  return new Damaged({ reason, offsetBytes: null, lengthBytes: null });
}

function damageIn(error: unknown): LayerDamage {
  if (error instanceof Damaged) return error.damage;
  if (error instanceof ManifestMalformed) return nowhere(`the manifest is malformed: ${error.message}`).damage;
  if (error instanceof MapUnreadable) return nowhere("the image's own tables can't be read").damage;
  if (error instanceof ContentEndsBefore) {
    return { reason: 'the image file is shorter than it was', offsetBytes: error.offset, lengthBytes: null };
  }
  if (error instanceof ContentLost) {
    return { reason: 'its storage does not give it back', offsetBytes: error.offset, lengthBytes: null };
  }
  const code = (error as NodeJS.ErrnoException | undefined)?.code;
  if (error instanceof NotAFile || code === 'ELOOP') return nowhere('its manifest is no file').damage;
  if (code === 'ENOENT' || code === 'ENOTDIR') return nowhere('the image or its manifest is gone').damage;
  throw error;
}
