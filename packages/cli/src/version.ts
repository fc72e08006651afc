import { createRequire } from 'node:module';

/** Of this package, and so of the release. */
export function programVersion(): string {
  const { version } = createRequire(import.meta.url)('../package.json') as { version: string };
  return version;
}
