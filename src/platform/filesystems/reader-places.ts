import { TooManyReads } from '#platform/http/edge.errors';

/** Places for readers of guests' files: each reader is a program of its own, and the machine has only so much memory. */
export class ReaderPlaces {
  private taken = 0;

  constructor(private readonly places: number) {}

  /** Answers how to give the place back; that may be done several times. Throws TooManyReads. */
  take(): () => void {
    if (this.taken >= this.places) throw new TooManyReads(this.places);
    this.taken += 1;
    let isMine = true;
    return () => {
      if (isMine) this.taken -= 1;
      isMine = false;
    };
  }
}
