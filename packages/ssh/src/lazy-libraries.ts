import { createRequire } from 'node:module';

/**
 * Libraries of some megabytes that many users of this package never call: loaded at the first call. (The mover of an
 * agent makes keys and speaks the control protocol, and neither ssh2 nor node-forge has a part in that.)
 */
const load = createRequire(import.meta.url);

export function ssh2(): typeof import('ssh2') {
  return load('ssh2') as typeof import('ssh2');
}

export function forge(): typeof import('node-forge') {
  return load('node-forge') as typeof import('node-forge');
}
