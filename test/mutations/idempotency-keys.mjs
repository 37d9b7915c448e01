/** First answers, kept in PostgreSQL. */
const keys = (what, from, to) => ({ what, file: 'src/platform/http/postgres.idempotency-keys.ts', from, to });

export const specs = ['test/contract/idempotency-keys.spec.ts'];

export const mutations = [
  keys('a key belongs to whoever came last', '         where known.created_at < now() - ${KEPT}\n', ''),
  keys(
    'a key gives its answer to any request',
    "if (row.fingerprint !== fingerprint) return { is: 'other-request' };",
    '',
  ),
  keys('what a request said can be found by trying', "createHmac('sha256', this.hashKey)", "createHmac('sha256', '')"),
  keys(
    'the first answer is not given again',
    "if (row.answer !== null) return { is: 'answered', answer: row.answer };",
    '',
  ),
  keys('a later answer takes the place of the first', 'coalesce(answer, $4)', 'coalesce($4, answer)'),
  keys('who was given up answers the request of another', 'and command_id = $3`', 'and $3::uuid is not null`'),
  keys(
    'who was given up releases what another took over',
    'delete from idempotency_key\n        where user_id = $1 and key = $2 and owner = $3 and claimed_at = $4::timestamptz',
    'delete from idempotency_key\n        where user_id = $1 and key = $2 and owner = $3 and $4::timestamptz is not null',
  ),
  keys(
    'a release takes the answer with it',
    'and answer is null\n          and claimed_at = created_at`',
    '\n          and claimed_at = created_at`',
  ),
  keys('a refusal frees a key whose first try had no answer', '\n          and claimed_at = created_at`', '`'),
  keys(
    'who was given up abandons what another took over',
    'set owner = $5\n        where user_id = $1 and key = $2 and owner = $3 and claimed_at = $4::timestamptz',
    'set owner = $5\n        where user_id = $1 and key = $2 and owner = $3 and $4::timestamptz is not null',
  ),
  keys('what was abandoned stays where it was', 'set owner = $5\n', "set owner = coalesce(nullif($5, ''), $3)\n"),
  keys('who takes for ever keeps it', ' && !ranOut', ''),
  keys('the dead keep theirs', '(await this.instances.isAlive(owner))', 'owner.length > 0'),
  keys(
    'many take over the same',
    'and claimed_at = $4::timestamptz and answer is null\n        returning',
    'and $4::timestamptz is not null and answer is null\n        returning',
  ),
  keys(
    'what was answered meanwhile is taken over',
    'and claimed_at = $4::timestamptz and answer is null\n        returning',
    'and claimed_at = $4::timestamptz\n        returning',
  ),
  keys(
    'the second try is another command',
    'set owner = $3, claimed_at = now()\n',
    'set owner = $3, claimed_at = now(), command_id = gen_random_uuid()\n',
  ),
  keys('what ran out keeps its command', 'command_id = excluded.command_id, claimed_at', 'claimed_at'),
  keys('what ran out keeps its answer', 'owner = excluded.owner, answer = null,', 'owner = excluded.owner,'),
  keys('what ran out stays', 'await this.database.query(`delete from idempotency_key where created_at', 'void (`'),
];
