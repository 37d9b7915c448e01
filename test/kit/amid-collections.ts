import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';

/** Runs `work` while garbage is collected all the time. */
export async function amidCollections<Result>(work: () => Promise<Result>): Promise<Result> {
  setFlagsFromString('--expose-gc');
  const collect = runInNewContext('gc') as () => void;
  const collecting = setInterval(collect, 20);
  try {
    return await work();
  } finally {
    clearInterval(collecting);
  }
}
