/**
 * Unit tests beside the source, as native ES modules. Types are checked by `tsc -b`, which runs before.
 * Packages of the workspace are resolved to their sources, so a test never sees a stale build.
 *
 * @type {import('jest').Config}
 */
export default {
  testEnvironment: 'node',
  // Most of the time goes into the programs that the tests start (rsync, ssh), so a worker for each core.
  maxWorkers: '100%',
  // A hang, not a speed, is what a timeout finds: keys are made and servers started on machines that do other work too.
  testTimeout: 30_000,
  roots: ['<rootDir>/packages'],
  testMatch: ['**/*.test.ts'],
  extensionsToTreatAsEsm: ['.ts'],
  transform: {
    '^.+\\.ts$': [
      '@swc/jest',
      { jsc: { target: 'es2023', parser: { syntax: 'typescript' } }, module: { type: 'es6' } },
    ],
  },
  moduleNameMapper: {
    '^(\\.{1,2}/.*)\\.js$': '$1',
    '^@dr-syncer/([a-z]+)$': '<rootDir>/packages/$1/src/index.ts',
  },
};
