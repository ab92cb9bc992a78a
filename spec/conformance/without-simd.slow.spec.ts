/** What the parser does, over a real socket, where all of its work is done in plain JavaScript. */
process.env['WS_NO_SIMD'] = '1';

type Runner = typeof import('./runner.js');

const { playAll } = require('./runner.js') as Runner;
const { framing } = require('./framing.js') as typeof import('./framing.js');
const { fragmentation } = require('./fragmentation.js') as typeof import('./fragmentation.js');
const { sizes } = require('./sizes.js') as typeof import('./sizes.js');

jest.setTimeout(60_000);

describe('with WS_NO_SIMD=1', () => {
  describe('1 framing', () => playAll(framing));
  describe('5 fragmentation', () => playAll(fragmentation));
  describe('9 sizes', () => playAll(sizes));
});
