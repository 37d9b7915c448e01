import type { BackupEffects } from '#domain/backup/effects';
import type { VerificationEffects } from '#domain/verification/effects';
import type { ProcessRunner } from '#platform/processes/process-runner.port';
import { inUserWords } from '#platform/qemu/failures';
import { openImage } from '#platform/qemu/layers';
import { pathBeneath, PathLeavesRoot } from '#platform/repositories/path-beneath';
import { type EffectContext, EffectError, type EffectExecutor, type Observation } from '#platform/sagas/effect.port';
import { inUserWords as inAgentWords } from '#platform/vma/agent-failures';
import type { Agents } from '#platform/vma/agents';

import { ContentProver } from './content-prover.js';
import { ContentVerifier } from './content-verifier.js';
import { ImageRefused } from '#platform/qemu/qcow2-header';
import type { HashWorkers } from './hash-workers.js';
import { SourceDiffers } from './source-comparison.js';
import { SourceRangesWrong } from './windows.js';

type Prove = BackupEffects['image.prove'];
type Verify = VerificationEffects['image.verify'];

/** A look leaves nothing behind, and a manifest is written anew in any case. */
const ABSENT: Observation = { state: 'absent' };

/** Writes the content manifest of a closed image. */
class ProveImageExecutor implements EffectExecutor<Prove['args']> {
  readonly kind = 'image.prove';

  constructor(
    private readonly prover: ContentProver,
    private readonly agents: Agents,
  ) {}

  observe(): Promise<Observation> {
    return Promise.resolve(ABSENT);
  }

  execute(args: Prove['args'], { signal }: EffectContext): Promise<Prove['result']> {
    return inAgentWords(() =>
      inUserWords(async () => {
        const { root, image, layers, jobId, deviceKey, sizeBytes, parentManifestSha256 } = args;
        const { file } = await openImage({ root, image, layers });
        const manifestFile = await pathBeneath(root, `${image}.manifest`);
        const header = { backupId: jobId, deviceKey, sizeBytes, parentManifestSha256 };
        const source = args.hashesOffered ? await this.sourceOf(args, signal) : null;
        const proof = await this.prover.prove({ file, manifestFile, header, source, signal }).catch(inWords);
        const { manifestSha256, dataBytes } = proof;
        return { manifestSha256, dataBytes, comparedWithSource: source !== null };
      }),
    );
  }

  private sourceOf({ agent, jobId, deviceKey }: Prove['args'], signal: AbortSignal) {
    return this.agents.named(agent).client.sourceRanges(jobId, deviceKey, signal);
  }
}

/** Compares an image with the manifest that was recorded. */
class VerifyImageExecutor implements EffectExecutor<Verify['args']> {
  readonly kind = 'image.verify';

  constructor(private readonly verifier: ContentVerifier) {}

  observe(): Promise<Observation> {
    return Promise.resolve(ABSENT);
  }

  async execute(args: Verify['args'], { signal }: EffectContext): Promise<Verify['result']> {
    const { root, image, backupId, deviceKey, sizeBytes, manifestSha256, parentManifestSha256 } = args;
    const broken = await brokenHeader(args);
    if (broken !== null) return { damage: { reason: broken, offsetBytes: null, lengthBytes: null } };
    const damage = await this.verifier.verify({
      file: await pathBeneath(root, image),
      manifestFile: await pathBeneath(root, `${image}.manifest`),
      manifestSha256,
      header: { backupId, deviceKey, sizeBytes, parentManifestSha256 },
      signal,
    });
    return { damage };
  }
}

async function brokenHeader(args: Verify['args']): Promise<string | null> {
  try {
    const { header } = await openImage(args);
    if (header.virtualSizeBytes !== args.sizeBytes) return 'the image has another size than the disk had';
    return header.dirty || header.corrupt ? 'the image is marked as not closed or as damaged' : null;
  } catch (error) {
    if (error instanceof ImageRefused) return error.message;
    if (error instanceof PathLeavesRoot) return 'an image of the chain lies outside its repository';
    const code = (error as NodeJS.ErrnoException | undefined)?.code;
    if (code === 'ENOENT' || code === 'ENOTDIR') return 'an image of the chain is gone';
    if (code === 'ELOOP') return 'an image of the chain is a link';
    throw error;
  }
}

function inWords(error: unknown): never {
  if (!(error instanceof SourceDiffers) && !(error instanceof SourceRangesWrong)) throw error;
  const failure = {
    code: 'content-differs',
    message: error.message,
    remedy: "start the backup again; look into the agent's log and at the network in between",
  };
  throw new EffectError('permanent', failure, { cause: error });
}

/** What the effect worker needs of this area. */
export function manifestExecutors(deps: {
  readonly runner: ProcessRunner;
  readonly agents: Agents;
  readonly workers: HashWorkers;
}): EffectExecutor[] {
  const { workers } = deps;
  return [
    new ProveImageExecutor(new ContentProver(deps.runner, workers), deps.agents),
    new VerifyImageExecutor(new ContentVerifier(deps.runner, workers)),
  ];
}
