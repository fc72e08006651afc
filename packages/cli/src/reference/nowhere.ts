import type { Surroundings } from '../surroundings.js';

/** For a program that is only looked at. */
export const nowhere: Surroundings = {
  out: () => undefined,
  err: () => undefined,
  env: {},
  signal: new AbortController().signal,
};
