const NAMES: Readonly<Record<string, string>> = {
  ntfs: 'an NTFS filesystem',
  xfs: 'an XFS filesystem',
  btrfs: 'a Btrfs filesystem',
  vfat: 'a FAT filesystem',
  exfat: 'an exFAT filesystem',
  zfs_member: 'a part of a ZFS pool',
  swap: 'swap space',
  crypto_LUKS: 'an encrypted volume (LUKS)',
  BitLocker: 'an encrypted volume (BitLocker)',
  LVM2_member: 'a part of an LVM volume group',
  linux_raid_member: 'a part of a software RAID',
  iso9660: 'a CD image',
};

/** Why a partition can't be browsed, as the end of a sentence about it. */
export function whyNotBrowsable(filesystem: string | null): string {
  if (filesystem === null) return 'no filesystem was recognised on it';
  const what = NAMES[filesystem] ?? `something that is named ${filesystem}`;
  return `it holds ${what}; only ext2, ext3 and ext4 can be browsed`;
}
