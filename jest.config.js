/**
 * Every spec that needs nothing but `npm install`: `npx jest <part of a path>` runs any of them. `npm test` leaves out the slow ones,
 * whose names end in `.slow.spec.ts`: see spec/jest.quick.config.js and spec/jest.slow.config.js.
 */
/** @type {import('jest').Config} */
export default {
  testEnvironment: 'node',
  roots: ['<rootDir>/spec'],
  testMatch: ['**/*.spec.ts'],
  transform: {
    '\\.ts$': [
      '@swc/jest',
      { jsc: { target: 'es2023', parser: { syntax: 'typescript' } }, module: { type: 'commonjs' } },
    ],
  },
  // Sources import './x.js' as ES modules must; under test that file is './x.ts'.
  moduleNameMapper: {
    '^(\\.{1,2}/.*)\\.js$': '$1',
    '^websocket-route$': '<rootDir>/lib/index.ts',
    '^websocket-route/(.*)$': '<rootDir>/lib/$1/index.ts',
  },
  setupFilesAfterEnv: ['<rootDir>/spec/support/matchers.ts'],
  testTimeout: 20_000,
  // Most specs wait more than they work: by default one processor would be left out.
  maxWorkers: '100%',
};
