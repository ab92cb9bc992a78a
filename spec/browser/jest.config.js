import base from '../../jest.config.js';

/** Specs that need a Chromium (`CHROMIUM`, or Debian's): not part of `npm test`. */
/** @type {import('jest').Config} */
export default {
  ...base,
  rootDir: '../..',
  roots: ['<rootDir>/spec/browser'],
  testMatch: ['**/*.browser.ts'],
  testTimeout: 60_000,
};
