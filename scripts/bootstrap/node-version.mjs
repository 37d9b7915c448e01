import { fail } from './failure.mjs';

/** Fails when this Node is older than OMA needs. */
export function checkNode(version = process.versions.node) {
  const [major, minor] = version.split('.').map(Number);
  if (major > 20 || (major === 20 && minor >= 19)) return;
  fail(
    `OMA needs Node.js 20.19 or newer; this is ${version}. Install it from https://nodejs.org or your distribution.`,
  );
}
