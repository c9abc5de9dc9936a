const project = {
  testEnvironment: 'node',
  extensionsToTreatAsEsm: ['.ts'],
  // Source imports say './x.js' where the file is './x.ts'; the resolver reads that for our own files only.
  resolver: '<rootDir>/test/support/resolve-ts.cjs',
  transform: { '^.+\\.ts$': '@swc/jest' },
};

const onRealClusters = {
  ...project,
  globalSetup: '<rootDir>/test/support/start-shared-cluster.mjs',
  globalTeardown: '<rootDir>/test/support/stop-shared-cluster.mjs',
};

/** @type {import('jest').Config} */
export default {
  // More than the two cores of a small machine: most tests wait most of the time, for failovers and timeouts.
  maxWorkers: 4,
  testTimeout: 30_000,
  coverageProvider: 'v8',
  collectCoverageFrom: ['src/**/*.ts'],
  coverageReporters: ['text-summary', 'html'],
  projects: [
    { ...project, displayName: 'unit', testMatch: ['<rootDir>/test/unit/**/*.test.ts'] },
    {
      ...onRealClusters,
      displayName: 'integration',
      testMatch: ['<rootDir>/test/integration/**/*.test.ts'],
      testPathIgnorePatterns: ['/node_modules/', '\\.serial\\.test\\.ts$'],
    },
    // Tests that a busy machine would disturb, such as those with thousands of messages a second: `npm test` runs them
    // one after the other, after all others.
    {
      ...onRealClusters,
      displayName: 'serial',
      testMatch: ['<rootDir>/test/integration/**/*.serial.test.ts'],
    },
  ],
};
