import { describe, expect, it } from '@jest/globals';

import { replay } from '../kernel/decider.js';
import {
  verification,
  type VerificationCommand,
  type VerificationEvent,
  VerificationIsOver,
  type VerificationPlan,
} from './verification.js';

const plan: VerificationPlan = {
  jobId: 'job',
  backupId: 'point',
  contextId: 'ctx',
  vmName: 'web-01',
  root: '/srv',
  layers: [],
};
const requested: VerificationEvent = { type: 'VerificationRequested', data: plan };
const cancel: VerificationCommand = { type: 'RequestCancel', jobId: 'job' };
const complete: VerificationCommand = { type: 'CompleteVerification', jobId: 'job', backupId: 'point', findings: [] };
const decide = (history: VerificationEvent[], command: VerificationCommand) =>
  verification.decide(command, replay(verification, history));

describe('a verification', () => {
  it('begins once and ends once', () => {
    expect(decide([], { type: 'RequestVerification', plan })).toEqual([requested]);
    expect(decide([requested], { type: 'RequestVerification', plan })).toEqual([]);
    const [completed] = decide([requested], complete);
    expect(completed?.type).toBe('VerificationCompleted');
    expect(decide([requested, completed!], complete)).toEqual([]);
  });

  it('can be cancelled while it runs, and not after', () => {
    const [asked] = decide([requested], cancel);
    expect(asked?.type).toBe('VerificationCancelRequested');
    expect(decide([requested, asked!], cancel)).toEqual([]);
    expect(() => decide([requested, ...decide([requested], complete)], cancel)).toThrow(VerificationIsOver);
    expect(() => decide([], cancel)).toThrow(VerificationIsOver);
  });
});
