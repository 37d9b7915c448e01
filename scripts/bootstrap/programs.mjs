import { accessSync, constants, existsSync } from 'node:fs';
import { delimiter, join } from 'node:path';

import { fail } from './failure.mjs';
import { quietly, step } from './quiet.mjs';

/** The system programs that OMA starts, and the Debian packages that hold them. */
const needed = {
  'qemu-img': 'qemu-utils',
  'qemu-nbd': 'qemu-utils',
  nbdfuse: 'libnbd-bin',
  nbdinfo: 'libnbd-bin',
  nbdcopy: 'libnbd-bin',
  fusermount3: 'fuse3',
  fuse2fs: 'fuse2fs',
  e2fsck: 'e2fsprogs',
  sfdisk: 'fdisk',
  blkid: 'util-linux',
  unshare: 'util-linux',
};

/** Those that make the lab's disks (`npm start -- --lab`, the demo, the tests). */
const neededByTheLab = { mke2fs: 'e2fsprogs', debugfs: 'e2fsprogs' };

/** Those that the benches compare with. */
const neededByTheBenches = { openssl: 'openssl', tar: 'tar', gzip: 'gzip' };

/** A plain user's PATH often lacks the folders of the administrator's programs, where several of ours are. */
export function findAdministratorsPrograms() {
  const folders = (process.env.PATH ?? '').split(delimiter).filter(Boolean);
  const more = ['/usr/local/sbin', '/usr/sbin', '/sbin'].filter((folder) => !folders.includes(folder));
  process.env.PATH = [...folders, ...more].join(delimiter);
}

/** Installs the missing programs when this user may, else fails with the one command that does. */
export async function ensurePrograms(command) {
  const lab = !['start', 'oma'].includes(command) || process.argv.includes('--lab');
  const wanted = {
    ...needed,
    ...(lab && neededByTheLab),
    ...(command === 'bench' && neededByTheBenches),
  };
  let missing = missingOf(wanted);
  if (missing.length > 0 && process.getuid?.() === 0 && onPath('apt-get')) {
    await install(packagesOf(wanted, missing));
    missing = missingOf(wanted);
  }
  if (missing.length > 0) fail(advice(missing, packagesOf(wanted, missing)));
  if (command !== 'oma') checkFuse(command);
}

async function install(packages) {
  await step(`Installing system packages: ${packages.join(', ')}`, async () => {
    const wait = '-oDPkg::Lock::Timeout=300';
    const quiet = { DEBIAN_FRONTEND: 'noninteractive' };
    // A failed update isn't the end: the lists that are there may do. If not, the installation says why.
    const update = await quietly('apt-get', [wait, 'update'], quiet);
    const options = ['install', '--yes', '--no-install-recommends'];
    const { exitCode, output } = await quietly('apt-get', [wait, ...options, ...packages], quiet);
    if (exitCode === 0) return;
    const updateSaid = update.exitCode === 0 ? '' : `apt-get update:\n${update.output}\n`;
    fail(`The system packages could not be installed.\n${updateSaid}apt-get install:\n${output}`);
  });
}

function advice(missing, packages) {
  const what = `OMA needs programs that are not installed here: ${missing.join(', ')}.`;
  if (!onPath('apt-get')) return `${what}\nInstall the packages that hold them (in Debian: ${packages.join(' ')}).`;
  const sudo = process.getuid?.() === 0 ? '' : 'sudo ';
  return `${what}\nRun this once, then try again:\n\n  ${sudo}apt-get install --yes --no-install-recommends ${packages.join(' ')}\n`;
}

/** Browsing a backup mounts it through FUSE; everything else works without. */
function checkFuse(command) {
  const problem = fuseProblem();
  if (problem === undefined) return;
  if (command === 'demo') fail(`The demo mounts a backup, which can't work here: ${problem}.`);
  console.error(`Warning: ${problem}. Backups work, but mounting one to restore files will fail.`);
}

function fuseProblem() {
  if (!existsSync('/dev/fuse')) {
    return 'there is no /dev/fuse (load the kernel module fuse, or give the container --device /dev/fuse)';
  }
  try {
    accessSync('/dev/fuse', constants.R_OK | constants.W_OK);
    return undefined;
  } catch {
    return 'this user may not use /dev/fuse (an administrator allows it with: chmod 666 /dev/fuse)';
  }
}

function missingOf(wanted) {
  return Object.keys(wanted).filter((program) => !onPath(program));
}

function packagesOf(wanted, programs) {
  return [...new Set(programs.map((program) => wanted[program]))];
}

function onPath(program) {
  return (process.env.PATH ?? '').split(delimiter).some((folder) => {
    try {
      accessSync(join(folder, program), constants.X_OK);
      return true;
    } catch {
      return false;
    }
  });
}
