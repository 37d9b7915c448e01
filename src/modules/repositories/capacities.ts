import { Injectable } from '@nestjs/common';

import { Clock } from '#platform/clock/clock.port';
import { within } from '#platform/clock/within';
import { type Capacity, LocalRepositoryStorage } from '#platform/repositories/local-repository-storage.port';

/** A disk that answers no sooner is not waited for. */
const ANSWER_WITHIN_MS = 5000;

/** How much room a directory has. */
export interface CapacityReading {
  readonly at: Date;
  /** null when the directory is away or doesn't answer in time. */
  readonly capacity: Promise<Capacity | null>;
}

interface UnderWay extends CapacityReading {
  /** Whether the disk answered, in time or not. */
  isOver: boolean;
}

/**
 * Reads how much room directories have. Each is read by one at a time: a disk that hangs holds one of the few threads that look at
 * files, and not one for every request.
 */
@Injectable()
export class Capacities {
  private readonly last = new Map<string, UnderWay>();

  constructor(
    private readonly storage: LocalRepositoryStorage,
    private readonly clock: Clock,
  ) {}

  /** A reading that is no older than that; just now by default. One that is under way is as good. */
  of(path: string, atMostMsAgo = 0): CapacityReading {
    const at = this.clock.now();
    const last = this.last.get(path);
    if (last !== undefined && (!last.isOver || Math.abs(at.getTime() - last.at.getTime()) < atMostMsAgo)) return last;
    const answer = this.storage.capacity(path);
    const capacity = within(ANSWER_WITHIN_MS, undefined, () => answer).catch(() => null);
    const reading: UnderWay = { at, capacity, isOver: false };
    const isOver = () => {
      reading.isOver = true;
    };
    answer.then(isOver, isOver);
    this.last.set(path, reading);
    return reading;
  }
}
