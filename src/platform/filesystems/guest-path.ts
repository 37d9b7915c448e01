import { PathRefused } from '#domain/restore/mount.errors';

const MAX_COMPONENT_BYTES = 255;
const MAX_DEPTH = 1024;
const SLASH = 0x2f;
const REMEDY = 'list the folder and use the path_encoded given there';

/** The parts of a guest's path, one by one; empty ones and `.` say nothing. Throws PathRefused for what no path may hold. */
export function componentsOf(path: Buffer): readonly Buffer[] {
  if (path.includes(0)) throw new PathRefused('a path must not contain the byte 0', REMEDY);
  const components = split(path).filter((part) => part.byteLength > 0 && !part.equals(Buffer.from('.')));
  if (components.some((part) => part.equals(Buffer.from('..'))))
    throw new PathRefused("a path must not contain '..'", REMEDY);
  if (components.some((part) => part.byteLength > MAX_COMPONENT_BYTES)) {
    throw new PathRefused(`a part of a path has at most ${MAX_COMPONENT_BYTES} bytes`, REMEDY);
  }
  if (components.length > MAX_DEPTH) throw new PathRefused(`a path has at most ${MAX_DEPTH} parts`, REMEDY);
  return components;
}

function split(path: Buffer): readonly Buffer[] {
  const parts: Buffer[] = [];
  let start = 0;
  for (let at = path.indexOf(SLASH); at !== -1; at = path.indexOf(SLASH, start)) {
    parts.push(path.subarray(start, at));
    start = at + 1;
  }
  return [...parts, path.subarray(start)];
}
