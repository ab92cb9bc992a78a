import base from '../jest.config.js';

/** `npm test`: what takes less than two minutes on two processors. */
/** @type {import('jest').Config} */
export default {
  ...base,
  rootDir: '..',
  testPathIgnorePatterns: ['/node_modules/', '\\.slow\\.spec\\.ts$'],
};
