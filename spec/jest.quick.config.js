import base from '../jest.config.js';

/** `npm test`: what takes less than two minutes on two processors. */
/** @type {import('jest').Config} */
export default {
  ...base,
  rootDir: '..',
  testPathIgnorePatterns: ['/node_modules/', '\\.slow\\.spec\\.ts$'],
  // `npm run test:coverage`. V8's own count takes functions that never ran for covered.
  coverageProvider: 'babel',
  collectCoverageFrom: ['lib/**/*.ts'],
  coverageReporters: ['text', 'lcov'],
  coverageThreshold: { global: { statements: 90, branches: 85, functions: 90, lines: 90 } },
};
