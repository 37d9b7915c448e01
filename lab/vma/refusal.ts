/** An answer other than 200; the agent says it in plain text. */
export class Refusal extends Error {
  constructor(
    readonly status: 400 | 404 | 409 | 413 | 500,
    message: string,
  ) {
    super(message);
  }
}
