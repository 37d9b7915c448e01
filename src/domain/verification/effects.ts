import type { ImagePlace } from '../kernel/image-place.js';
import type { LayerDamage } from './verification.js';

/** What verifying a restore point may ask of the world; the executor is in `platform/manifests`. */
export type VerificationEffects = {
  /** Reads one layer's own content and compares it with its manifest, and that with the hash that was recorded. */
  'image.verify': {
    args: ImagePlace & {
      backupId: string;
      deviceKey: number;
      sizeBytes: number;
      manifestSha256: string;
      parentManifestSha256: string | null;
    };
    /** `readAt` is when the reading began, in UTC (RFC 3339). */
    result: { damage: LayerDamage | null; readAt: string };
  };
};
