import type pg from 'pg';

/** The server's process behind a connection, as notifications name it; null before it is connected. It is not in the types of `pg`. */
export function serverProcessOf(client: pg.Client): number | null {
  return (client as unknown as { readonly processID: number | null }).processID;
}
