import { readdir, readFile, readlink } from 'node:fs/promises';

const LISTEN = '0A';
const ACCEPTS_CONNECTIONS = '00010000';

/** Whether this process listens on the loopback port. Only the kernel is asked: nobody is connected or disturbed. */
export async function listensOnPort(pid: number, port: number): Promise<boolean> {
  const place = `0100007F:${port.toString(16).toUpperCase().padStart(4, '0')}`;
  const rows = (await readFile('/proc/net/tcp', 'utf8')).split('\n').map((row) => row.trim().split(/ +/));
  const sockets = rows.filter((row) => row[1] === place && row[3] === LISTEN);
  return hasSocket(
    pid,
    sockets.map((row) => row[9]),
  );
}

/** The same of a unix socket. */
export async function listensOnSocket(pid: number, path: string): Promise<boolean> {
  const rows = (await readFile('/proc/net/unix', 'utf8')).split('\n').filter((row) => row.endsWith(` ${path}`));
  const sockets = rows.map((row) => row.split(/ +/)).filter((row) => row[3] === ACCEPTS_CONNECTIONS);
  return hasSocket(
    pid,
    sockets.map((row) => row[6]),
  );
}

async function hasSocket(pid: number, inodes: readonly (string | undefined)[]): Promise<boolean> {
  if (inodes.length === 0) return false;
  const folder = `/proc/${pid}/fd`;
  const names = await readdir(folder).catch(() => []);
  const links = await Promise.all(names.map((name) => readlink(`${folder}/${name}`).catch(() => '')));
  return inodes.some((inode) => links.includes(`socket:[${inode}]`));
}
