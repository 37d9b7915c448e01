import { z } from 'zod';

import { PIECE_BYTES } from './own-content.js';

/**
 * The content manifest of one layer, as the file `<image>.manifest` beside the image. One JSON object per line:
 *
 * - first the header: which backup and disk, the disk's size, the size of the pieces, and the hash of the manifest of the
 *   layer beneath (null for the first): so the newest manifest seals the whole chain;
 * - then what the layer itself holds, in rising order, cut at multiples of `piece_bytes` of the disk: `offset`, `length` and
 *   the SHA-256 of the bytes, or `zero` for areas that the layer says are zeros. What isn't listed comes from the layer
 *   beneath, or is zero when there is none;
 * - last `end`, with the sums. The hash of a manifest is the SHA-256 of this file.
 */
export interface ManifestHeader {
  readonly backupId: string;
  readonly deviceKey: number;
  readonly sizeBytes: number;
  readonly parentManifestSha256: string | null;
}

export interface ManifestPiece {
  readonly offset: number;
  readonly length: number;
  /** null for zeros. */
  readonly sha256: string | null;
}

export interface ManifestSums {
  readonly dataBytes: number;
  readonly zeroBytes: number;
  readonly pieces: number;
}

/** A manifest that isn't one, or isn't whole. The message says where. */
export class ManifestMalformed extends Error {
  override readonly name = 'ManifestMalformed';
}

const FORMAT = 'oma-content-manifest';
const VERSION = 1;
const count = z.int().min(0);
const sha256 = z.string().regex(/^[0-9a-f]{64}$/);
const header = z.strictObject({
  format: z.literal(FORMAT),
  version: z.literal(VERSION),
  backup_id: z.string(),
  device_key: count,
  size_bytes: count,
  piece_bytes: z.literal(PIECE_BYTES),
  parent_manifest_sha256: sha256.nullable(),
});
const piece = z.union([
  z.strictObject({ offset: count, length: z.int().positive(), sha256 }),
  z.strictObject({ offset: count, length: z.int().positive(), zero: z.literal(true) }),
]);

export const NO_SUMS: ManifestSums = { dataBytes: 0, zeroBytes: 0, pieces: 0 };

export function headerLine({ backupId, deviceKey, sizeBytes, parentManifestSha256 }: ManifestHeader): string {
  return line({
    format: FORMAT,
    version: VERSION,
    backup_id: backupId,
    device_key: deviceKey,
    size_bytes: sizeBytes,
    piece_bytes: PIECE_BYTES,
    parent_manifest_sha256: parentManifestSha256,
  });
}

export function pieceLine({ offset, length, sha256: hash }: ManifestPiece): string {
  return line(hash === null ? { offset, length, zero: true } : { offset, length, sha256: hash });
}

export function endLine({ dataBytes, zeroBytes, pieces }: ManifestSums): string {
  return line({ end: true, data_bytes: dataBytes, zero_bytes: zeroBytes, pieces });
}

export function added(sums: ManifestSums, { length, sha256: hash }: ManifestPiece): ManifestSums {
  return {
    dataBytes: sums.dataBytes + (hash === null ? 0 : length),
    zeroBytes: sums.zeroBytes + (hash === null ? length : 0),
    pieces: sums.pieces + 1,
  };
}

/** Throws ManifestMalformed. */
export function readHeader(text: string): ManifestHeader {
  const found = parsed(text, header, 'its first line');
  return {
    backupId: found.backup_id,
    deviceKey: found.device_key,
    sizeBytes: found.size_bytes,
    parentManifestSha256: found.parent_manifest_sha256,
  };
}

/** The pieces after the header, in rising order, within the disk, and whole to the end. Throws ManifestMalformed. */
export async function* readPieces(lines: AsyncIterable<string>, sizeBytes: number): AsyncGenerator<ManifestPiece> {
  let sums = NO_SUMS;
  let reached = 0;
  let ended = false;
  for await (const text of lines) {
    if (ended) throw new ManifestMalformed('there is more after its end');
    if (text.startsWith('{"end"')) {
      if (`${text}\n` !== endLine(sums)) throw new ManifestMalformed("its sums aren't those of its pieces");
      ended = true;
      continue;
    }
    const said = parsed(text, piece, `the line after offset ${reached}`);
    const { offset, length } = said;
    const within = offset >= reached && offset + length <= sizeBytes && (offset % PIECE_BYTES) + length <= PIECE_BYTES;
    if (!within) throw new ManifestMalformed(`the piece at offset ${offset} is out of place`);
    reached = offset + length;
    const one = { offset, length, sha256: 'sha256' in said ? said.sha256 : null };
    sums = added(sums, one);
    yield one;
  }
  if (!ended) throw new ManifestMalformed('it has no end');
}

function line(value: object): string {
  return `${JSON.stringify(value)}\n`;
}

function parsed<Schema extends z.ZodType>(text: string, schema: Schema, where: string): z.output<Schema> {
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch {
    throw new ManifestMalformed(`${where} isn't JSON`);
  }
  const read = schema.safeParse(json);
  if (!read.success) throw new ManifestMalformed(`${where} is wrong`);
  return read.data;
}
