import { describe, expect, it } from '@jest/globals';

import {
  NoRebuildUnderWay,
  NoStoppedProjection,
  NotStoppedThere,
  OtherVersionLive,
  RebuildUnderWay,
  UnknownProjection,
} from '../modules/operations/operations.errors.js';
import { remedyOf } from './remedies.js';

describe('a refusal at the command line', () => {
  it.each([
    new UnknownProjection('job'),
    new NoStoppedProjection('job'),
    new NotStoppedThere('job', 'e-1'),
    new RebuildUnderWay('job'),
    new NoRebuildUnderWay('job'),
    new OtherVersionLive('job', 2),
  ])('says what helps without an API: $code', (refusal) => {
    expect(remedyOf(refusal)).toMatch(/\w/);
    expect(remedyOf(refusal)).not.toMatch(/\/api\/|\b(?:GET|POST|DELETE)\b|X-/);
  });
});
