import type { z } from 'zod';

import { Refusal } from './refusal.js';

/** Reads a question. Throws the refusal that names every field that is wrong; it repeats no values. */
export function understood<Value>(schema: z.ZodType<Value>, body: unknown): Value {
  const read = schema.safeParse(body);
  if (read.success) return read.data;
  throw new Refusal(
    400,
    read.error.issues.map(({ path, message }) => `${path.join('.')} ${message}`.trim()).join('; '),
  );
}
