import base from '../jest.config.js';

/** `npm run test:slow`: what `npm test` leaves out. Their names end in `.slow.spec.ts`. */
/** @type {import('jest').Config} */
export default {
  ...base,
  rootDir: '..',
  testMatch: ['**/*.slow.spec.ts'],
};
