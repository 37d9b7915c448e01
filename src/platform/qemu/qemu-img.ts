import { z } from 'zod';

import type { ProcessRunner, ProgramResult } from '#platform/processes/process-runner.port';

import { imageNode } from './node-graph.js';

const info = z.object({
  format: z.literal('qcow2'),
  'virtual-size': z.number().int().nonnegative(),
  'cluster-size': z.number().int().positive(),
  'dirty-flag': z.boolean(),
  'backing-filename': z.string().optional(),
});
const check = z.object({
  'check-errors': z.number().int(),
  corruptions: z.number().int().default(0),
  leaks: z.number().int().default(0),
});
const map = z.array(
  z.object({ start: z.number(), length: z.number(), data: z.boolean(), zero: z.boolean(), depth: z.number() }),
);

export type ImageInfo = {
  readonly virtualSizeBytes: number;
  readonly clusterBytes: number;
  readonly dirty: boolean;
  readonly backingFile: string | null;
};

/** qemu-img gave no answer that makes sense; `stderr` is for the log, never for a user. */
class QemuImgFailed extends Error {
  override readonly name = 'QemuImgFailed';
  constructor(
    what: string,
    readonly stderr: string,
  ) {
    super(`qemu-img could not ${what}`);
  }
}

/** The command `qemu-img`. Images are named to it as explicit node graphs; it never opens a backing file by itself. */
export class QemuImg {
  constructor(private readonly runner: ProcessRunner) {}

  /**
   * An empty image with clusters of 64 KiB. `lazy_refcounts` makes the header tell for ever whether the image was closed
   * properly. `backingName`, relative to the image, is written down and not opened.
   */
  async create(file: string, sizeBytes: number, backingName: string | null, signal?: AbortSignal): Promise<void> {
    const options = 'cluster_size=65536,lazy_refcounts=on';
    const backing = backingName === null ? [] : ['-u', '-b', backingName, '-F', 'qcow2'];
    const args = ['create', '-q', '-f', 'qcow2', ...backing, '-o', options, '--', file, String(sizeBytes)];
    const result = await this.run(args, 60, signal);
    if (result.exitCode !== 0) throw new QemuImgFailed('create an image', result.stderr);
  }

  async info(file: string, signal?: AbortSignal): Promise<ImageInfo> {
    const result = await this.run(['info', '--output=json', '--', imageNode(file)], 60, signal);
    if (result.exitCode !== 0) throw new QemuImgFailed('read an image', result.stderr);
    const found = info.parse(JSON.parse(result.stdout));
    return {
      virtualSizeBytes: found['virtual-size'],
      clusterBytes: found['cluster-size'],
      dirty: found['dirty-flag'],
      backingFile: found['backing-filename'] ?? null,
    };
  }

  /** Looks at the whole metadata and never repairs. `consistent` allows leaked clusters, which cost only space. */
  async check(file: string, signal?: AbortSignal): Promise<{ readonly consistent: boolean }> {
    const result = await this.run(['check', '--output=json', '--', imageNode(file)], 3600, signal);
    if (result.exitCode === null || ![0, 2, 3].includes(result.exitCode)) {
      throw new QemuImgFailed('check an image', result.stderr);
    }
    const found = check.parse(JSON.parse(result.stdout));
    return { consistent: result.exitCode !== 2 && found['check-errors'] === 0 && found.corruptions === 0 };
  }

  /** Whether no byte was ever stored in the image; areas that are known to be zero don't count. */
  async isEmpty(file: string, signal?: AbortSignal): Promise<boolean> {
    const result = await this.run(['map', '--output=json', '--', imageNode(file)], 600, signal);
    if (result.exitCode !== 0) throw new QemuImgFailed('map an image', result.stderr);
    return map.parse(JSON.parse(result.stdout)).every((area) => !area.data);
  }

  private run(args: readonly string[], timeoutSeconds: number, signal?: AbortSignal): Promise<ProgramResult> {
    return this.runner.run({ program: 'qemu-img', args, timeoutSeconds, ...(signal === undefined ? {} : { signal }) });
  }
}
