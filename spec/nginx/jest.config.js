import base from '../../jest.config.js';

/** Specs that need an nginx (`NGINX`, or Debian's): not part of `npm test`. */
/** @type {import('jest').Config} */
export default {
  ...base,
  rootDir: '../..',
  roots: ['<rootDir>/spec/nginx'],
  testMatch: ['**/*.nginx.ts'],
  testTimeout: 60_000,
};
