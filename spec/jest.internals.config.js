import base from '../jest.config.js';

/**
 * `npm run test:internals`: the specs of connections without anything that Node does not document
 * (`lib/transport/node-internals.ts`). The script leaves out those that cannot hold then: how much of a large write the kernel has
 * taken, and whether a request was pipelined behind the handshake, only Node's internals tell.
 */
/** @type {import('jest').Config} */
export default {
  ...base,
  rootDir: '..',
  testMatch: ['<rootDir>/spec/connection/**/*.spec.ts', '<rootDir>/spec/handshake/**/*.spec.ts'],
  testPathIgnorePatterns: ['/node_modules/', '\\.slow\\.spec\\.ts$'],
};
