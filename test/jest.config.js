import unit from '../jest.config.js';

/**
 * What needs more than the code: `e2e/` two real clusters, which its tests share and so run one after the other;
 * `integration/` API servers, agents and controllers as processes of each test's own; the rest are tests of the tools
 * that those and the demo use. The command line of each is in test/cluster/README.md.
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
