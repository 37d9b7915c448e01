/** Whether the database answers, for those who ask how OMA is. */
export abstract class Heartbeat {
  abstract beats(): Promise<boolean>;
}
