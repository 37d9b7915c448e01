import { setTimeout as pause } from 'node:timers/promises';

import type { Heartbeat } from '#platform/database/heartbeat.port';
import type { OpenEventStore } from '#platform/event-store/event-store.port';
import type { ProjectionProgress } from '#platform/projections/projection-progress.port';
import type { SagaEngine } from '#platform/sagas/saga-engine';

import { type Component, Readiness } from './readiness.port.js';

const ANSWER_WITHIN_MS = 2000;

/** Asks each part of this OMA how it is. */
export class WatchedReadiness extends Readiness {
  constructor(
    private readonly parts: {
      readonly heartbeat: Heartbeat;
      readonly store: Pick<OpenEventStore, 'answers'>;
      readonly progress: Pick<ProjectionProgress, 'status'>;
      readonly engine: Pick<SagaEngine, 'isRunning'>;
      /** A projection that is further behind isn't ready. */
      readonly maxLagSeconds: number;
    },
  ) {
    super();
  }

  async notReady(): Promise<readonly Component[]> {
    const { heartbeat, store, engine } = this.parts;
    const [database, log, projections] = await Promise.all([
      heartbeat.beats(),
      store.answers(),
      Promise.race([this.projectionsFollow(), pause(ANSWER_WITHIN_MS, false, { ref: false })]),
    ]);
    const states: Readonly<Record<Component, boolean>> = { database, log, projections, sagas: engine.isRunning };
    return (Object.keys(states) as Component[]).filter((component) => !states[component]);
  }

  private async projectionsFollow(): Promise<boolean> {
    try {
      const all = await this.parts.progress.status();
      return all.every(({ status, lagSeconds }) => status !== 'stopped' && lagSeconds <= this.parts.maxLagSeconds);
    } catch {
      return false;
    }
  }
}
