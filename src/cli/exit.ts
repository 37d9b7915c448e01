/** What the command line ends with; scripts rely on these. */
export const EXIT = {
  done: 0,
  /** Rows differ from the log, something stopped or failed, or it was refused. */
  failed: 1,
  usage: 2,
  /** The database or the log can't be used: away, of another version, or the settings don't fit. */
  unreachable: 3,
  /** Rows are what the log gives as far as they are, but they are behind it. */
  behind: 4,
  interrupted: 130,
} as const;

export type Exit = (typeof EXIT)[keyof typeof EXIT];
