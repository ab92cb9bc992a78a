import base from '../jest.config.js';

/** Specs that count the steps of the code, which a count of coverage adds to, and those that run other programs. */
const UNCOUNTED = ['/spec/security/', '/spec/docs/', '/spec/types/', '/spec/demo-app/'];

/** `npm test`: what takes less than two minutes on two processors. */
/** @type {import('jest').Config} */
export default {
  ...base,
  rootDir: '..',
  testPathIgnorePatterns: [
    '/node_modules/',
    '\\.slow\\.spec\\.ts$',
    ...(process.argv.includes('--coverage') ? UNCOUNTED : []),
  ],
  // `npm run test:coverage`. V8's own count takes functions that never ran for covered.
  coverageProvider: 'babel',
  collectCoverageFrom: ['lib/**/*.ts'],
  coverageReporters: ['text', 'lcov'],
  coverageThreshold: { global: { statements: 97, branches: 95, functions: 96, lines: 97 } },
};
