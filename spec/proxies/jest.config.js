import base from '../../jest.config.js';

/** Specs that need other people's proxies, those of Debian: not part of `npm test`. */
/** @type {import('jest').Config} */
export default {
  ...base,
  rootDir: '../..',
  roots: ['<rootDir>/spec/proxies'],
  testMatch: ['**/*.proxies.ts'],
  testTimeout: 60_000,
};
