const OF_ONE_DISK = /^backup-(.{1,100})-disk(\d{1,9})$/;

/**
 * The job id that an agent of the first generation is given: it copies one disk per job, and reads from the id that it is a
 * backup and of which disk (contract-c 6.2, 6.3).
 */
export function oneDiskJobId(jobId: string, diskId: number): string {
  return `backup-${jobId}-disk${diskId}`;
}

/** A job id as an agent says it: OMA's own, or one of `oneDiskJobId` with its disk. */
export function readAgentJobId(said: string): { readonly jobId: string; readonly diskId: number | null } {
  const found = OF_ONE_DISK.exec(said);
  if (found?.[1] === undefined) return { jobId: said, diskId: null };
  return { jobId: found[1], diskId: Number(found[2]) };
}
