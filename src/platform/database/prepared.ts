/** By text, the same in every connection. */
const names = new Map<string, string>();

/**
 * A name for a statement that is written down in the code, under which each connection parses it once. Never for texts that are put
 * together from what somebody sent: there would be no end to them.
 */
export function preparedName(text: string): string {
  let name = names.get(text);
  if (name === undefined) names.set(text, (name = `oma ${names.size}`));
  return name;
}
