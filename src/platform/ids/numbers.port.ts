/** Small numbers for things that the API names by a number: counting up from 1, never given twice, gaps allowed. */
export abstract class Numbers {
  abstract next(of: 'credential'): Promise<number>;
}
