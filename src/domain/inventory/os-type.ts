export const OS_TYPES = ['windows', 'linux', 'macos', 'other', 'unknown'] as const;

/** The family of a guest's operating system, out of whatever words vCenter uses for it. */
export function osTypeOf(guestOs: string): (typeof OS_TYPES)[number] {
  const words = guestOs.toLowerCase();
  if (words === '' || words === 'unknown') return 'unknown';
  if (/darwin|mac ?os/.test(words)) return 'macos';
  if (words.includes('win')) return 'windows';
  if (/linux|ubuntu|debian|centos|red ?hat|rhel|suse|sles|fedora|oracle|photon|rocky|alma/.test(words)) return 'linux';
  return 'other';
}
