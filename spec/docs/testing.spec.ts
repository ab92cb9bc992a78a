import express from 'express';
import * as testing from '../../lib/testing/index.js';
import { blocksOf, namesTakenForGranted, readPage, run } from './blocks.js';

const PAGE = 'docs/testing.md';

/** The tests that a block has, by name. */
function testsOf(block: ReturnType<typeof blocksOf>[number]): [name: string, run: () => Promise<void>][] {
  const tests: [string, () => Promise<void>][] = [];
  const it = (name: string, test: () => Promise<void>): void => void tests.push([name, test]);
  run(block, { ...namesTakenForGranted(express()), connect: testing.connect, it, expect });
  return tests;
}

// The programs of a first test are run by their own runners, against the packed package: `npm run test:package`.
const blocks = blocksOf(PAGE).filter(({ language }) => language === 'ts');

describe(PAGE, () => {
  it('has tests for all that it tells', () => {
    expect(blocks).toHaveLength(8);
  });

  describe.each(blocks.map((block) => [block.at, block] as const))('%s', (_at, block) => {
    it.each(testsOf(block))('%s', (_name, test) => test());
  });
});

describe('its reference', () => {
  it('has every public name of websocket-route/testing, and every member of a TestClient', async () => {
    const page = readPage(PAGE);
    const client = await testing.connect(express());
    const { constructor: _, ...members } = Object.getOwnPropertyDescriptors(Object.getPrototypeOf(client));
    const names = Object.entries(members).filter(([, { value, get }]) => typeof value === 'function' || get);
    const isPrivate = [
      'connected',
      'sendFrame',
      'sayClose',
      'listen',
      'received',
      'receivedData',
      'receivedClose',
      'gone',
      'wait',
      'inVain',
    ];
    const wanted = [
      ...Object.keys(testing),
      ...names.map(([name]) => name).filter((name) => !isPrivate.includes(name)),
    ];
    expect(wanted.length).toBeGreaterThan(12);
    expect(wanted.filter((name) => !page.includes(name))).toEqual([]);
  });
});
