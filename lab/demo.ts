import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { parseArgs } from 'node:util';

import { Api } from './demo/api.js';
import type { DemoReport } from './demo/report.js';
import { Screen } from './demo/screen.js';
import { Stage } from './demo/stage.js';
import { Story } from './demo/story.js';
import type { DiskManifest, ManifestFile } from './guests/manifest.js';

/** The VM with two disks; what is mounted and compared is the first of them. */
const VM_NAME = 'web-01';
/** So many of the many small files are compared, and all other files: large, sparse, oddly named. */
const SMALL_FILES_COMPARED = 60;

async function demonstrate(screen: Screen, interruption: Promise<never>): Promise<DemoReport> {
  const began = performance.now();
  screen.say('setting up a small world: a lab with a vCenter, VMs and an agent, and OMA with its own PostgreSQL');
  const stage = await Stage.enter();
  const { story, error } = await tell(stage, screen, interruption);
  const left = await stage.leave();
  screen.say(left.length === 0 ? 'nothing is left behind' : `left behind: ${left.join('; ')}`);
  const { ids = {}, steps = [], disks = [], files = [], points = [] } = story ?? {};
  const filesEqual = files.length > 0 && files.every((file) => file.source_sha256 === file.restored_sha256);
  return {
    ok: error === null && filesEqual && points.length > 1 && left.length === 0,
    error,
    seconds: Number(((performance.now() - began) / 1000).toFixed(3)),
    ids,
    steps,
    disks,
    files,
    files_equal: filesEqual,
    points,
    left_behind: left,
  };
}

/** Never throws: what was told until an error belongs in the report, and the stage has to be left in any case. */
async function tell(
  stage: Stage,
  screen: Screen,
  interruption: Promise<never>,
): Promise<{ readonly story: Story | null; readonly error: string | null }> {
  let story: Story | null = null;
  try {
    screen.say(`OMA serves at ${stage.omaUrl}`);
    story = await storyOf(stage, screen);
    await Promise.race([story.tell(), interruption]);
    return { story, error: null };
  } catch (problem) {
    const error = problem instanceof Error ? problem.message : String(problem);
    screen.say(error);
    return { story, error };
  }
}

async function storyOf(stage: Stage, screen: Screen): Promise<Story> {
  const { vcenter, vms } = stage.labFacts;
  const vm = vms.find(({ name }) => name === VM_NAME);
  const disk = vm?.disks[0];
  const manifest = JSON.parse(await readFile(disk?.manifestFile ?? '', 'utf8')) as DiskManifest;
  return new Story({
    api: new Api(stage.omaUrl),
    screen,
    password: stage.password,
    vcenter: { ...vcenter, password: stage.vcenterPassword },
    vmName: VM_NAME,
    repositoryPath: join(stage.dir, 'repository'),
    disk: { labUrl: stage.labUrl, vmPath: vm?.path ?? '', deviceKey: disk?.deviceKey ?? -1, diskId: 0 },
    truthFolder: stage.dir,
    files: filesToCompare(manifest.files),
  });
}

function filesToCompare(files: readonly ManifestFile[]): readonly ManifestFile[] {
  const isOneOfMany = (file: ManifestFile) => Buffer.from(file.path, 'base64').toString('latin1').startsWith('/many/');
  const many = files.filter(isOneOfMany);
  const step = Math.max(1, Math.floor(many.length / SMALL_FILES_COMPARED));
  const sample = many.filter((_file, index) => index % step === 0).slice(0, SMALL_FILES_COMPARED);
  return [...files.filter((file) => !isOneOfMany(file)), ...sample];
}

/** Rejects when the user or the system wants the program to end, so that its world is taken away first. */
function interrupted(): Promise<never> {
  const interruption = new Promise<never>((_resolve, reject) => {
    for (const signal of ['SIGINT', 'SIGTERM'] as const) {
      process.once(signal, () => {
        reject(new Error(`interrupted by ${signal}`));
      });
    }
  });
  // It may come before anybody waits for it.
  interruption.catch(() => undefined);
  return interruption;
}

function wantsJson(): boolean {
  try {
    return parseArgs({ options: { json: { type: 'boolean', default: false } } }).values.json;
  } catch {
    console.error('usage: npm run demo -- [--json]');
    process.exit(2);
  }
}

const json = wantsJson();
try {
  const report = await demonstrate(new Screen(json ? null : process.stdout), interrupted());
  if (json) console.log(JSON.stringify(report, null, 2));
  process.exitCode = report.ok ? 0 : 1;
} catch (error) {
  console.error(error instanceof Error ? error.message : error);
  process.exitCode = 1;
}
