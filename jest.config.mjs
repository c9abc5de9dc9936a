const project = {
  testEnvironment: 'node',
  extensionsToTreatAsEsm: ['.ts'],
  // Source imports say './x.js' where the file is './x.ts'; the resolver reads that for our own files only.
  resolver: '<rootDir>/test/support/resolve-ts.cjs',
  transform: {
    '^.+\\.ts$': [
      '@swc/jest',
      {
        swcrc: false,
        jsc: {
          target: 'es2022',
          parser: { syntax: 'typescript', decorators: true },
          transform: { legacyDecorator: true, decoratorMetadata: true },
        },
        module: { type: 'es6' },
      },
    ],
  },
};

/** @type {import('jest').Config} */
export default {
  maxWorkers: 2,
  testTimeout: 30_000,
  projects: [
    { ...project, displayName: 'unit', testMatch: ['<rootDir>/test/unit/**/*.test.ts'] },
    {
      ...project,
      displayName: 'integration',
      testMatch: ['<rootDir>/test/integration/**/*.test.ts'],
      globalSetup: '<rootDir>/test/support/start-shared-cluster.mjs',
      globalTeardown: '<rootDir>/test/support/stop-shared-cluster.mjs',
    },
  ],
};
