import type { GuestPath, GuestTree } from './guest-tree.js';
import { seededBytes } from './seeded-bytes.js';

const KIB = 1024;
const MIB = 1024 * KIB;
const MANY_FILES = 2000;
const FILES_PER_FOLDER = 100;

/** A web server's system disk, with everything in names and types that makes a file restore stumble. */
export async function webSystem(tree: GuestTree): Promise<void> {
  tree.folder('documents');
  for (const [index, name] of AWKWARD_NAMES.entries()) {
    tree.file(
      beneath('documents', name),
      `Document ${index}\n${seededBytes(`document ${index}`, 300).toString('hex')}\n`,
    );
  }
  tree.file('documents/empty.txt', '');
  tree.hardLink('documents/the same file again.txt', 'documents/Quarterly report.txt');
  const notText = Buffer.from('ordner-\xe4', 'latin1');
  tree.folder(notText);
  tree.file(Buffer.concat([notText, Buffer.from('/inside.txt')]), 'in a folder whose name is not UTF-8\n');
  const deep = Array.from({ length: 24 }, (_, level) => `level-${level}`).join('/');
  tree.folder(`deep/${deep}`);
  tree.file(`deep/${deep}/bottom.txt`, 'far down\n');
  photos(tree, 'photos', [4 * MIB, 3 * MIB, 2 * MIB + 1, 2 * MIB - 1, MIB]);
  manySmallFiles(tree);
  tree.sparseFile(
    'sparse.bin',
    24 * MIB + 17,
    new Map([
      [0, seededBytes('sparse head', 4 * KIB)],
      [12 * MIB, seededBytes('sparse middle', 64 * KIB)],
      [24 * MIB, seededBytes('sparse tail', 17)],
    ]),
  );
  tree.folder('empty folder');
  tree.folder('links');
  tree.symlink('links/passwd', '/etc/passwd');
  tree.symlink('links/upwards', '../../..');
  tree.symlink('links/inside', '../documents/Quarterly report.txt');
  tree.symlink('links/dangling', 'nowhere');
  tree.symlink('links/loop', 'loop');
  tree.folder('odd');
  await tree.fifo('odd/pipe');
  await tree.device('odd/zero');
}

/** The web server's second disk: what its users uploaded. */
export function webData(tree: GuestTree): void {
  tree.folder('uploads');
  photos(tree, 'uploads', [3 * MIB, 2 * MIB, 512 * KIB]);
  for (let index = 0; index < 100; index++) {
    tree.file(`uploads/comment-${index}.json`, JSON.stringify({ index, text: seededText(`comment ${index}`, 400) }));
  }
}

export function databaseSystem(tree: GuestTree): void {
  tree.folder('var/lib/database/base');
  tree.folder('var/lib/database/wal');
  for (let table = 16384; table < 16400; table++) {
    tree.file(`var/lib/database/base/${table}`, seededBytes(`table ${table}`, 256 * KIB));
  }
  tree.sparseFile('var/lib/database/wal/000000010000000000000001', 4 * MIB, new Map([[0, seededBytes('wal', MIB)]]));
}

/** A tree by which two VMs of the same name can be told apart. */
export function whoAmI(name: string): (tree: GuestTree) => void {
  return (tree) => {
    tree.file('who-am-i.txt', `${name}\n`);
  };
}

const AWKWARD_NAMES: readonly GuestPath[] = [
  'Quarterly report.txt',
  'several   spaces at the end   ',
  'Größe und Maß – Übersicht.md',
  'Gro\u0308ße in other code points.md',
  '日本語のファイル.txt',
  'holiday 📷.txt',
  'line\nbreak.txt',
  'header\r\nSet-Cookie: injected=1.txt',
  'escape \u001b[31mred\u001b[0m\u0007.txt',
  'reversed \u202Etxt.exe',
  '<img src=x onerror=alert(1)>.html',
  `quotes ' " \` $(id) ;.txt`,
  'back\\slash.txt',
  'percent %2e%2e%2f %00.txt',
  '-rf',
  '...',
  '~',
  'n'.repeat(255),
  Buffer.from('caf\xe9 in Latin-1.txt', 'latin1'),
  Buffer.from([0x80, 0xff, 0xfe, 0xc0, 0xaf]),
];

function photos(tree: GuestTree, folder: string, sizes: readonly number[]): void {
  tree.folder(folder);
  for (const [index, size] of sizes.entries()) {
    tree.file(`${folder}/IMG_${4000 + index}.jpg`, seededBytes(`${folder} ${index}`, size));
  }
}

function manySmallFiles(tree: GuestTree): void {
  for (let index = 0; index < MANY_FILES; index++) {
    const folder = `many/${String(Math.floor(index / FILES_PER_FOLDER)).padStart(2, '0')}`;
    if (index % FILES_PER_FOLDER === 0) tree.folder(folder);
    const size = 40 + ((index * 37) % 1900);
    tree.file(`${folder}/note-${String(index).padStart(4, '0')}.txt`, seededText(`note ${index}`, size));
  }
}

function seededText(seed: string, size: number): string {
  return seededBytes(seed, size).toString('base64').slice(0, size);
}

function beneath(folder: string, name: GuestPath): Buffer {
  return Buffer.concat([Buffer.from(`${folder}/`), Buffer.from(name)]);
}
