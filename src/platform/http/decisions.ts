import type { Decision, Witness } from '#domain/kernel/command-context';
import type { Position } from '#domain/kernel/event';

/** Everything that was decided while one request was answered. */
export class Decisions implements Witness {
  private readonly all: Decision[] = [];
  private lastAt = 0;

  decided(decision: Decision): void {
    this.all.push(decision);
    this.lastAt = performance.now();
  }

  get any(): boolean {
    return this.all.length > 0;
  }

  /** The newest position: whoever has passed it knows all of them. Null when nothing was decided. */
  get position(): Position | null {
    return this.all.reduce<Position | null>(
      (newest, { position }) => (newest === null || position > newest ? position : newest),
      null,
    );
  }

  /** Milliseconds since the last one. */
  get ageMs(): number {
    return performance.now() - this.lastAt;
  }

  /** Revision that the newest of them left a stream of one of these categories at; null without one. */
  revisionOf(categories: readonly string[]): bigint | null {
    const newest = this.all.findLast(({ stream }) => categories.some((category) => stream.startsWith(`${category}-`)));
    return newest?.revision ?? null;
  }
}
