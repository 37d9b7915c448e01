/** The contract's formats of a downloaded folder (contract-c 4.7). */
export const ARCHIVE_FORMATS = ['zip', 'tar.gz'] as const;
export type ArchiveFormat = (typeof ARCHIVE_FORMATS)[number];
