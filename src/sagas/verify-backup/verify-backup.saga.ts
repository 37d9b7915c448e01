import { jobEndOf } from '#domain/kernel/job-end';
import type { EffectRequest } from '#domain/kernel/saga';
import { type Ending, type Results, sequence, type Step } from '#domain/kernel/sequence';
import type { VerificationEffects } from '#domain/verification/effects';
import type {
  VerificationCommand,
  VerificationPlan,
  VerificationRequested,
  VerifiedLayer,
} from '#domain/verification/verification';

import { commandEffect } from '../command-effect.js';

/** What stands for the finding of a layer that was not read; a verification that completes has read all. */
const UNREAD = { damage: { reason: 'it was not read', offsetBytes: null, lengthBytes: null }, readAt: '' };
const READ_SECONDS = 14 * 24 * 3600;

/** Reads every layer of a restore point again, one after another, and records what was found. */
export const verifyBackupSaga = sequence<VerificationPlan>({
  name: 'verifybackup',
  version: 1,
  listensTo: ['VerificationRequested', 'VerificationCancelRequested'],
  correlate: (event) => ({
    id: (event.data as { jobId: string }).jobId,
    starts: event.type === 'VerificationRequested',
  }),
  start: (type, data) => (type === 'VerificationRequested' ? (data as VerificationRequested['data']) : null),
  stop: (type) =>
    type === 'VerificationCancelRequested'
      ? { code: 'cancelled', message: 'it was cancelled; the audit trail says by whom and why' }
      : null,
  groups: (plan) => plan.layers.map((layer) => [verify(plan, layer)]),
  conclude: (plan, results, ending) => [conclusion(plan, results, ending)],
});

function stepOf({ backupId, deviceKey }: VerifiedLayer): string {
  return `verify:${deviceKey}:${backupId}`;
}

function verify({ root }: VerificationPlan, layer: VerifiedLayer): Step {
  const { backupId, deviceKey, sizeBytes, image, beneath, manifestSha256, parentManifestSha256 } = layer;
  const args: VerificationEffects['image.verify']['args'] = {
    root,
    image,
    layers: beneath,
    backupId,
    deviceKey,
    sizeBytes,
    manifestSha256,
    parentManifestSha256,
  };
  return {
    effect: {
      step: stepOf(layer),
      title: `Compare the layer of backup ${backupId} with its manifest`,
      kind: 'image.verify',
      args,
      resource: `image:${root}/${image}`,
      timeoutSeconds: READ_SECONDS,
      retry: { attempts: 3, baseMs: 200, maxMs: 2000 },
    },
  };
}

function conclusion(plan: VerificationPlan, results: Results, ending: Ending): EffectRequest {
  const { jobId } = plan;
  return commandEffect('end', 'Record what was found', 'verification', jobId, endCommand(plan, results, ending));
}

function endCommand(
  { jobId, backupId, layers }: VerificationPlan,
  results: Results,
  ending: Ending,
): VerificationCommand {
  if (ending.outcome === 'completed') {
    const findings = layers.map((layer) => {
      const found = results[stepOf(layer)] as VerificationEffects['image.verify']['result'] | undefined;
      const { damage, readAt } = found ?? UNREAD;
      return { backupId: layer.backupId, deviceKey: layer.deviceKey, damage, readAt };
    });
    return { type: 'CompleteVerification', jobId, backupId, findings };
  }
  return {
    type: ending.outcome === 'failed' ? 'FailVerification' : 'CancelVerification',
    jobId,
    backupId,
    ...jobEndOf(ending),
  };
}
