import base from '../../jest.config.js';

/** @type {import('jest').Config} */
export default {
  ...base,
  rootDir: '../..',
  roots: ['<rootDir>/spec/package'],
  testMatch: ['**/*.package.ts'],
  testTimeout: 240_000,
};
