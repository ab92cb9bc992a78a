/** Whether the client that the specs of RFC 7692 rely on sees what it should see. By `node:zlib` alone: no server. */
import { constants, createDeflateRaw } from 'node:zlib';
import { Deflater, Inflater, readResponse, TAIL } from './deflate-client.js';
import { manyDistances } from './test-data.js';

const HELLO = Buffer.from('Hello');
const BITS = [8, 9, 10, 11, 12, 13, 14, 15];

describe('the window of the client that reads', () => {
  it.each(BITS)('takes what was compressed with %i bits, and with fewer', (bits) => {
    for (const fewer of BITS.filter((one) => one <= bits)) {
      const [deflater, inflater] = [new Deflater(fewer, true), new Inflater(bits, true)];
      for (let i = 0; i < 5; i++) {
        const message = manyDistances(i * 30_000, (i + 1) * 30_000);
        expect(inflater.message(deflater.message(message)).equals(message)).toBe(true);
      }
    }
  });

  // 9 is as good as 8: zlib has no distance above 250 in either.
  it.each(BITS.slice(1, -1))('a window of %i bits refuses what was compressed with one more', (bits) => {
    const deflated = new Deflater(bits + 1, true).message(manyDistances(0, 100_000));
    expect(() => new Inflater(bits, true).message(deflated)).toThrow('invalid distance');
    expect(() => new Inflater(8, true).message(deflated)).toThrow('invalid distance');
  });

  it('refuses a reference to the message before where there is to be none', () => {
    const deflater = new Deflater(15, true);
    const messages = [deflater.message(HELLO), deflater.message(HELLO)];
    const [keeps, forgets] = [new Inflater(15, true), new Inflater(15, false)];
    for (const message of messages) expect(keeps.message(message)).toEqual(HELLO);
    expect(forgets.message(messages[0]!)).toEqual(HELLO);
    expect(() => forgets.message(messages[1]!)).toThrow('invalid distance');
  });

  it('refuses a reference to what has slid out of it', () => {
    const long = manyDistances(0, 5000);
    const deflater = new Deflater(15, true);
    const messages = [deflater.message(HELLO), deflater.message(long), deflater.message(HELLO)];
    const inflater = new Inflater(10, true);
    expect(inflater.message(messages[0]!)).toEqual(HELLO);
    expect(() => {
      inflater.message(messages[1]!);
      inflater.message(messages[2]!);
    }).toThrow('invalid distance');
  });
});

describe('the window of the client that writes', () => {
  it.each([true, false])('is the one of a stream of zlib, with context takeover: %p', async (keepsContext) => {
    const deflater = new Deflater(12, keepsContext);
    const stream = createDeflateRaw({ windowBits: 12 });
    for (let i = 0; i < 20; i++) {
      const message = manyDistances(i * 1000, i * 1000 + 3000);
      const pieces: Buffer[] = [];
      stream.write(message);
      await new Promise<void>((resolve) => stream.flush(constants.Z_SYNC_FLUSH, () => resolve()));
      for (let piece: unknown = stream.read(); piece !== null; piece = stream.read()) pieces.push(piece as Buffer);
      const flushed = Buffer.concat(pieces);
      if (!keepsContext) stream.reset();
      const ours = deflater.message(message);
      // Not the same bytes: a dictionary is not looked up exactly as what was compressed. The same distances, and as small.
      expect(ours.length / flushed.length).toBeGreaterThan(0.95);
      expect(ours.length / flushed.length).toBeLessThan(1.05);
    }
    stream.close();
  });

  it('makes the single octet of 7.2.3.6 of an empty message', () => {
    expect(new Deflater(15, true).message(Buffer.alloc(0))).toEqual(Buffer.of(0));
    expect(new Inflater(15, true).message(Buffer.of(0))).toEqual(Buffer.alloc(0));
  });

  it('makes the octets of 7.2.3.1 and 7.2.3.2', () => {
    const deflater = new Deflater(15, true);
    expect(deflater.message(HELLO).toString('hex')).toBe('f248cdc9c90700');
    expect(deflater.message(HELLO).toString('hex')).toBe('f200110000');
    expect(TAIL.toString('hex')).toBe('0000ffff');
  });
});

describe('readResponse', () => {
  const nothing = {
    serverNoContextTakeover: false,
    clientNoContextTakeover: false,
    serverMaxWindowBits: 15,
    clientMaxWindowBits: 15,
  };

  it('knows each parameter', () => {
    expect(readResponse('permessage-deflate')).toEqual(nothing);
    expect(readResponse('permessage-deflate; server_no_context_takeover;client_max_window_bits=8')).toEqual({
      ...nothing,
      serverNoContextTakeover: true,
      clientMaxWindowBits: 8,
    });
    expect(readResponse('permessage-deflate; client_no_context_takeover; server_max_window_bits=10')).toEqual({
      ...nothing,
      clientNoContextTakeover: true,
      serverMaxWindowBits: 10,
    });
  });

  it.each([
    '',
    'deflate',
    'permessage-deflate; foo',
    'permessage-deflate; client_max_window_bits',
    'permessage-deflate; client_max_window_bits=7',
    'permessage-deflate; client_max_window_bits=16',
    'permessage-deflate; server_max_window_bits=08',
    'permessage-deflate; server_no_context_takeover=1',
    'permessage-deflate; server_no_context_takeover; server_no_context_takeover',
    'permessage-deflate, permessage-deflate',
  ])('fails on %p', (header) => {
    expect(() => readResponse(header)).toThrow();
  });
});
