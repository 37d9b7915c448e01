import { setTimeout as pause } from 'node:timers/promises';

import type { BackupEffects } from '#domain/backup/effects';
import type { VerificationEffects } from '#domain/verification/effects';
import type { LayerDamage } from '#domain/verification/verification';
import type { Clock } from '#platform/clock/clock.port';
import type { ProcessRunner } from '#platform/processes/process-runner.port';
import { inUserWords } from '#platform/qemu/failures';
import { openImage } from '#platform/qemu/layers';
import { pathBeneath, PathLeavesRoot } from '#platform/repositories/path-beneath';
import { requireMarked } from '#platform/repositories/repository-mark';
import { type EffectContext, EffectError, type EffectExecutor, type Observation } from '#platform/sagas/effect.port';
import { inUserWords as inAgentWords } from '#platform/vma/agent-failures';
import type { Agents } from '#platform/vma/agents';
import { VmaAway } from '#platform/vma/vma.errors';

import { ContentProver } from './content-prover.js';
import { ContentVerifier } from './content-verifier.js';
import { ImageRefused } from '#platform/qemu/qcow2-header';
import type { HashWorkers } from './hash-workers.js';
import { SourceDiffers } from './source-comparison.js';
import { SourceRangesWrong } from './windows.js';

const MS_PER_SECOND = 1000;
const RETRY_MS = 1000;
/** They share few threads and none ends sooner for it, but a small image isn't behind all the large ones. */
const READ_AT_ONCE = 32;

type Source = Parameters<ContentProver['prove']>[0]['source'];
type Prove = BackupEffects['image.prove'];
type Verify = VerificationEffects['image.verify'];

/** A look leaves nothing behind, and a manifest is written anew in any case. */
const ABSENT: Observation = { state: 'absent' };

/** Writes the content manifest of a closed image. */
class ProveImageExecutor implements EffectExecutor<Prove['args']> {
  readonly kind = 'image.prove';
  readonly ownPlaces = READ_AT_ONCE;

  constructor(
    private readonly prover: ContentProver,
    private readonly agents: Agents,
    private readonly awaySeconds: number,
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
        const prove = async (source: Source) => {
          const proof = await this.prover.prove({ file, manifestFile, header, source, signal }).catch(inWords);
          const { manifestSha256, dataBytes } = proof;
          return { manifestSha256, dataBytes, comparedWithSource: source !== null };
        };
        if (!args.hashesOffered) return prove(null);
        return (await this.unlessAway(async () => prove(await this.sourceOf(args, signal)), signal)) ?? prove(null);
      }),
    );
  }

  /**
   * An agent that is away for a while is waited for. One that stays away takes its account of what it read with it, as one
   * does that was started again: what was copied is not thrown away for that, and the point says that nobody compared it.
   */
  private async unlessAway<Result>(work: () => Promise<Result>, signal: AbortSignal): Promise<Result | null> {
    const deadline = performance.now() + this.awaySeconds * MS_PER_SECOND;
    for (;;) {
      try {
        return await work();
      } catch (error) {
        if (!(error instanceof VmaAway)) throw error;
        if (performance.now() >= deadline) return null;
        await pause(RETRY_MS, undefined, { signal });
      }
    }
  }

  private sourceOf({ agent, jobId, deviceKey }: Prove['args'], signal: AbortSignal) {
    return this.agents.named(agent).client.sourceRanges(jobId, deviceKey, signal);
  }
}

/** Compares an image with the manifest that was recorded. */
class VerifyImageExecutor implements EffectExecutor<Verify['args']> {
  readonly kind = 'image.verify';
  readonly ownPlaces = READ_AT_ONCE;

  constructor(
    private readonly verifier: ContentVerifier,
    private readonly clock: Clock,
  ) {}

  observe(): Promise<Observation> {
    return Promise.resolve(ABSENT);
  }

  /** Damage is believed only of a repository that is there, also after the reading. */
  async execute(args: Verify['args'], { signal }: EffectContext): Promise<Verify['result']> {
    const readAt = this.clock.now().toISOString();
    const damage = await this.damage(args, signal);
    if (damage !== null) await requireMarked(args.root);
    return { damage, readAt };
  }

  private async damage(args: Verify['args'], signal: AbortSignal): Promise<LayerDamage | null> {
    const { root, image, backupId, deviceKey, sizeBytes, manifestSha256, parentManifestSha256 } = args;
    const broken = await brokenHeader(args);
    if (broken !== null) return { reason: broken, offsetBytes: null, lengthBytes: null };
    return this.verifier.verify({
      file: await pathBeneath(root, image),
      manifestFile: await pathBeneath(root, `${image}.manifest`),
      manifestSha256,
      header: { backupId, deviceKey, sizeBytes, parentManifestSha256 },
      signal,
    });
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
  readonly clock: Clock;
  /** So long an agent may be away before its account of what it read is done without. */
  readonly awaySeconds: number;
}): EffectExecutor[] {
  const { workers } = deps;
  return [
    new ProveImageExecutor(new ContentProver(deps.runner, workers), deps.agents, deps.awaySeconds),
    new VerifyImageExecutor(new ContentVerifier(deps.runner, workers), deps.clock),
  ];
}
