import { AnswerNotAsDocumented } from './api-document.js';

/** Asks again until `probe` stops throwing, or throws its last error after `withinSeconds`. */
export async function eventually<Result>(
  probe: () => Result | Promise<Result>,
  withinSeconds = 10,
  everyMs = 20,
): Promise<Result> {
  const deadline = Date.now() + withinSeconds * 1000;
  for (;;) {
    try {
      return await probe();
    } catch (error) {
      if (Date.now() >= deadline || error instanceof AnswerNotAsDocumented) throw error;
      await new Promise((resolve) => setTimeout(resolve, everyMs));
    }
  }
}
