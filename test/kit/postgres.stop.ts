export default function stop(): void {
  // Nothing to stop yet.
}
