const project = {
  testEnvironment: 'node',
  extensionsToTreatAsEsm: ['.ts'],
  // Source imports say './x.js' where the file is './x.ts'; the resolver reads that for our own files only.
  resolver: '<rootDir>/test/support/resolve-ts.cjs',
  transform: {
    '^.+\\.ts$': '@swc/jest',
  },
};

const onRealClusters = {
  ...project,
  globalSetup: '<rootDir>/test/support/start-shared-cluster.mjs',
  globalTeardown: '<rootDir>/test/support/stop-shared-cluster.mjs',
};
/**
 * What promises that nobody notices a move, with thousands of messages a second: a machine that is busy with other tests
 * would be noticed. `npm test` runs these by themselves, after all others.
 */
const alone = ['chaos/short', 'pubsub/reconciler/planned-moves', 'pubsub/reconciler/slow-reader-move'].map(
  (name) => `<rootDir>/test/integration/${name}.test.ts`,
);

/** @type {import('jest').Config} */
export default {
  maxWorkers: 2,
  testTimeout: 30_000,
  projects: [
    { ...project, displayName: 'unit', testMatch: ['<rootDir>/test/unit/**/*.test.ts'] },
    {
      ...onRealClusters,
      displayName: 'integration',
      testMatch: ['<rootDir>/test/integration/**/*.test.ts'],
      testPathIgnorePatterns: ['/node_modules/', ...alone],
    },
    { ...onRealClusters, displayName: 'alone', testMatch: alone },
  ],
};
