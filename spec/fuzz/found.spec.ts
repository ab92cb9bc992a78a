/** What the fuzzing of this directory has found, in its shortest form. */
import type { IncomingMessage } from 'node:http';
import { constants, deflateRawSync } from 'node:zlib';
import { compileOrigins } from '../../lib/handshake/request/origins.js';
import { open } from '../connection/open.js';
import { play as playUnits, type Scenario } from '../dispatch/scenarios.js';
import { frame, more, text } from '../support/frames.js';
import { play } from './play.js';

/** A compressed text message of these bytes. */
function compressed(bytes: Buffer): Buffer {
  const payload = deflateRawSync(bytes, { finishFlush: constants.Z_SYNC_FLUSH }).subarray(0, -4);
  return frame({ opcode: 1, rsv: 4, payload });
}

it('a mistake in a compressed message waits for the handler that what came before it waits for', async () => {
  const bytes = Buffer.from('abcdef\xff', 'latin1');
  for (const slowEvery of [0, 1]) {
    const setup = { options: { compress: true, readDelimiter: 3 }, slowEvery };
    const { units, code } = await play(setup, [compressed(bytes)]);
    expect({ units, code }).toEqual({ units: [['abc'], ['def']], code: 1007 });
  }
});

it('one byte behind a final block is as wrong in one piece as in several', async () => {
  // An empty block that is final, and 0x7e, which begins no block.
  const payload = Buffer.from('010000ffff7e', 'hex');
  const whole = frame({ opcode: 2, rsv: 4, payload });
  const cut = [
    frame({ opcode: 2, rsv: 4, payload: payload.subarray(0, 5), fin: false }),
    frame({ opcode: 0, payload: payload.subarray(5) }),
  ];
  for (const chunks of [[whole], cut]) {
    expect((await play({ options: { compress: true }, slowEvery: 0 }, chunks)).code).toBe(1007);
  }
});

it('a host that is no URL is judged, also by code that was optimized: Node has two ways to do that', () => {
  const check = compileOrigins();
  // A letter by UTF-8; by Latin-1, as Node has headers, no host.
  const context = { secure: false, host: '\xc3\x80', request: {} as IncomingMessage };
  let allowed = 0;
  for (let i = 0; i < 20_000; i++) if (check('http://example.com', context)) allowed++;
  expect(allowed).toBe(0);
});

it('a pong that was held back does not come after that of a later ping', async () => {
  const { client } = await open({
    onRead(data) {
      if (data === 'write') this.write(Buffer.alloc(20 * 1024));
      else this.flush();
    },
  });
  client.send(text('write'), frame({ opcode: 9, payload: '1' }), text('flush'), frame({ opcode: 9, payload: '2' }));
  expect((await client.next()).opcode).toBe(2);
  const pongs = [await client.next(), await client.next()];
  expect(pongs.map(({ payload }) => String(payload))).toEqual(['1', '2']);
});

it('fragments that are put together announce no frame that is found to be broken before another delimiter reads', () => {
  const scenario: Scenario = {
    opcode: 1,
    messages: [],
    delimiters: [7, /\s+/],
    regexSearch: false,
    bufferSize: 4,
    maxDelimiterLength: 1024,
    onOverflow: 'close',
  };
  // What is left behind the first unit has room for two bytes more, and the last frame has three, of which the first is none of a text's.
  const broken = Buffer.concat([
    ...[text('1234', false), more('567  '), more(Buffer.from('\xff\r\n', 'latin1'))],
    ...[more('never', true)],
  ]);
  const pieces = Array.from(broken, (_, at) => broken.subarray(at, at + 1));
  const expected = [['1234567'], 'overflow', 1007];
  expect(playUnits(scenario, pieces)).toEqual(expected);
  expect(playUnits(scenario, [broken])).toEqual(expected);
});
