import { errnoOf } from './errors.js';

/** `otherwise` where there is no such file or directory: somebody else may have removed it just now. */
export async function unlessGone<T, U>(reading: Promise<T>, otherwise: U): Promise<T | U> {
  try {
    return await reading;
  } catch (error) {
    if (errnoOf(error) === 'ENOENT') return otherwise;
    throw error;
  }
}
