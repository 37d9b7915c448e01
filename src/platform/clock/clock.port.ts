/** The time, asked for and never taken, so that tests can set it. */
export abstract class Clock {
  abstract now(): Date;
}
