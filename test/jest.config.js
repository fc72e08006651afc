import unit from '../jest.config.js';

/**
 * End-to-end tests, and the tests of the tools that they and the demo use. The end-to-end tests share two clusters, so
 * they run one after the other; the command line of each is in test/cluster/README.md.
 *
 * @type {import('jest').Config}
 */
export default {
  ...unit,
  rootDir: '..',
  roots: ['<rootDir>/test'],
  testPathIgnorePatterns: ['/node_modules/', '/dist/'],
  maxWorkers: 1,
  testTimeout: 120_000,
};
