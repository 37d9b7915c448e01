/**
 * Within a statement: whether the rows of the named projections show at least what those of `leader` do, as of the very moment that
 * the statement sees; null when one of them isn't there.
 */
export function haveReached(names: readonly string[], leader: string): string {
  const list = names.map((name) => `'${name}'`).join(', ');
  return `(select case when count(*) = ${names.length} then bool_and(follower.position >= leader.position) end
    from projection leader join projection follower on follower.live and follower.name in (${list})
    where leader.live and leader.name = '${leader}')`;
}
