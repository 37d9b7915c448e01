import { Injectable, type OnModuleDestroy } from '@nestjs/common';
import { DataSource, In } from 'typeorm';

import { ProjectionProgress } from '#platform/projections/projection-progress.port';
import { JobRow } from '#projections/jobs/job.entity';

/**
 * Those who wait for jobs to end. One look at the rows serves all of them, and it is taken only when the rows of jobs have
 * changed: waiting itself costs nothing.
 */
@Injectable()
export class JobEnds implements OnModuleDestroy {
  private readonly waiting = new Map<string, Set<() => void>>();
  private unsubscribe: (() => void) | null = null;
  private looking = false;
  private again = false;
  private stopping = false;

  constructor(
    private readonly rows: DataSource,
    private readonly progress: ProjectionProgress,
  ) {}

  /** Resolves when the job isn't running, which it isn't either when there is none; after so long; or when who asked is gone. */
  async of(jobId: string, withinMs: number, gone: AbortSignal): Promise<void> {
    if (gone.aborted || this.stopping) return;
    await new Promise<void>((resolve) => {
      const done = () => {
        clearTimeout(timer);
        gone.removeEventListener('abort', done);
        this.remove(jobId, done);
        resolve();
      };
      const timer = setTimeout(done, withinMs);
      gone.addEventListener('abort', done);
      this.add(jobId, done);
      this.look();
    });
  }

  /** A clean stop doesn't wait for those who wait: they are told how things are. */
  onModuleDestroy(): void {
    this.stopping = true;
    this.release([...this.waiting.keys()]);
  }

  private add(jobId: string, done: () => void): void {
    const others = this.waiting.get(jobId);
    if (others === undefined) this.waiting.set(jobId, new Set([done]));
    else others.add(done);
    this.unsubscribe ??= this.progress.onAdvance((name) => {
      if (name === 'job') this.look();
    });
  }

  private remove(jobId: string, done: () => void): void {
    const others = this.waiting.get(jobId);
    others?.delete(done);
    if (others?.size === 0) this.waiting.delete(jobId);
    if (this.waiting.size > 0) return;
    this.unsubscribe?.();
    this.unsubscribe = null;
  }

  /** One look at a time; what changes meanwhile is looked at afterwards. */
  private look(): void {
    this.again = true;
    if (this.looking) return;
    this.looking = true;
    void this.lookUntilSettled();
  }

  /** Nothing may lie between the last look and the end of looking: who asks in between would not be heard. */
  private async lookUntilSettled(): Promise<void> {
    try {
      while (this.again && this.waiting.size > 0) {
        this.again = false;
        const asked = [...this.waiting.keys()];
        // Without an answer nobody is told anything: who waits has an own time.
        const running = await this.rows
          .getRepository(JobRow)
          .find({ select: { jobId: true }, where: { jobId: In(asked), status: 'running' } })
          .catch(() => null);
        if (running === null) return;
        const stillRunning = new Set(running.map(({ jobId }) => jobId));
        this.release(asked.filter((jobId) => !stillRunning.has(jobId)));
      }
    } finally {
      this.looking = false;
    }
  }

  private release(jobIds: readonly string[]): void {
    for (const done of jobIds.flatMap((jobId) => [...(this.waiting.get(jobId) ?? [])])) done();
  }
}
