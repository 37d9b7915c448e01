/** Where an image is, with the images beneath it in its chain, oldest first. All relative to the repository's directory. */
export type ImagePlace = { root: string; image: string; layers: readonly string[] };
