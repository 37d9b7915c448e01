/** Starts one PostgreSQL for the whole run and leaves its address in OMA_TEST_POSTGRES_URL. */
export default function start(): void {
  process.env['OMA_TEST_POSTGRES_URL'] ??= 'postgres://oma@127.0.0.1:54329/postgres';
}
