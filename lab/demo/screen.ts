const BAR_WIDTH = 30;

/** Where the story is told: a terminal with bars, or nowhere when only the JSON document is wanted. */
export class Screen {
  private readonly began = performance.now();
  private barShown = false;

  constructor(private readonly out: NodeJS.WriteStream | null) {}

  /** One line of the timeline. */
  say(text: string): void {
    this.clearBar();
    const seconds = ((performance.now() - this.began) / 1000).toFixed(1).padStart(6);
    this.out?.write(`${seconds} s  ${text}\n`);
  }

  /** Lines without a time. */
  show(lines: readonly string[]): void {
    this.clearBar();
    for (const line of lines) this.out?.write(`          ${line}\n`);
  }

  /** A bar that moves in place on a terminal; elsewhere a bar would only fill the log. */
  bar(label: string, share: number): void {
    if (this.out?.isTTY !== true) return;
    const full = Math.round(Math.min(1, Math.max(0, share)) * BAR_WIDTH);
    const percent = `${Math.floor(share * 100)} %`.padStart(5);
    this.out.write(`\r          ${'█'.repeat(full)}${'░'.repeat(BAR_WIDTH - full)} ${percent}  ${label}\u001b[K`);
    this.barShown = true;
  }

  private clearBar(): void {
    if (this.barShown) this.out?.write('\r\u001b[K');
    this.barShown = false;
  }
}
