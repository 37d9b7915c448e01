/** What must work before requests make sense. */
export type Component = 'database' | 'log' | 'projections' | 'sagas';

/** Whether OMA can do its work just now, for those who decide where to send requests. */
export abstract class Readiness {
  /** The components that aren't ready; none when OMA is. Never throws, and answers within seconds. */
  abstract notReady(): Promise<readonly Component[]>;
}
