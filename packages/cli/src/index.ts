export { run, type Streams } from './program.js';
