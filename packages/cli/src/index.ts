export { run } from './program.js';
export type { Surroundings } from './surroundings.js';
