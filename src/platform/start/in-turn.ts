/** Does one after another, each also when one before it failed. Throws what the last failure was. */
export async function inTurn(works: readonly (() => Promise<unknown>)[]): Promise<void> {
  const [first, ...rest] = works;
  if (first === undefined) return;
  try {
    await first();
  } finally {
    await inTurn(rest);
  }
}
