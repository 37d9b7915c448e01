import { createHash } from 'node:crypto';
import { createServer } from 'node:http';

import pg from 'pg';

import { READ_ROUTES } from './harness/read-routes.js';

/**
 * What somebody writes by hand who wants the routes of `reads` and nothing else: Node's own server, one warm connection, two prepared
 * statements, JSON of the rows. GET /NUMBER?VALUES answers the route with that number; VALUES are those of its statement, as JSON.
 */
const SESSION = `select s.user_id, u.username, u.role from session s join app_user u on u.user_id = s.user_id
  where s.token_hash = $1 and s.expires_at > now()`;

const database = new pg.Client({ connectionString: process.env['DATABASE_URL'] });
await database.connect();

async function answer(path: string, authorization: string): Promise<string | null> {
  const hash = createHash('sha256').update(authorization.replace('Bearer ', '')).digest('hex');
  const session = await database.query({ name: 'session', text: SESSION, values: [hash] });
  const [number = '', values = '[]'] = path.slice(1).split('?');
  const route = READ_ROUTES[Number(number)];
  if (session.rowCount !== 1 || route === undefined) return null;
  const wanted = JSON.parse(decodeURIComponent(values)) as string[];
  const { rows } = await database.query<Record<string, unknown>>({
    name: route.name,
    text: route.sql,
    values: wanted,
  });
  return JSON.stringify(rows);
}

const server = createServer((request, response) => {
  answer(request.url ?? '', request.headers.authorization ?? '').then(
    (body) => {
      response.writeHead(body === null ? 404 : 200, { 'content-type': 'application/json; charset=utf-8' });
      response.end(body);
    },
    (error: unknown) => {
      console.error(error);
      response.writeHead(500).end();
    },
  );
});
server.listen(Number(process.env['PORT']), '127.0.0.1');
