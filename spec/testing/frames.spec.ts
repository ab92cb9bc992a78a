import { clientFrame, FrameReader } from '../../lib/testing/frames.js';

const KEY = Buffer.from([1, 2, 3, 4]);

describe('clientFrame', () => {
  it('makes the frames of RFC 6455 section 5.7', () => {
    const key = Buffer.from('37fa213d', 'hex');
    expect(clientFrame({ opcode: 1, payload: 'Hello', mask: key }).toString('hex')).toBe('818537fa213d7f9f4d5158');
    expect(clientFrame({ opcode: 1, payload: 'Hello', mask: false }).toString('hex')).toBe('810548656c6c6f');
    expect(clientFrame({ opcode: 9, payload: 'Hello', mask: false }).toString('hex')).toBe('890548656c6c6f');
    expect(clientFrame({ opcode: 2, payload: Buffer.alloc(256), mask: false }).toString('hex', 0, 4)).toBe('827e0100');
    const large = clientFrame({ opcode: 2, payload: Buffer.alloc(65_536), mask: false });
    expect(large.toString('hex', 0, 10)).toBe('827f0000000000010000');
  });

  it('masks with a key that differs, and leaves the payload alone', () => {
    const payload = Buffer.from('payload');
    const [one, two] = [clientFrame({ opcode: 2, payload }), clientFrame({ opcode: 2, payload })];
    expect(one).not.toEqual(two);
    expect(payload.toString()).toBe('payload');
  });

  it('makes what no client should send', () => {
    expect(clientFrame({ opcode: 3, rsv: 7, fin: false, mask: KEY }).toString('hex')).toBe('738001020304');
    expect(clientFrame({ opcode: 2, lengthBits: 16, mask: false }).toString('hex')).toBe('827e0000');
    expect(clientFrame({ opcode: 2, lengthBits: 64, mask: false }).toString('hex')).toBe('827f0000000000000000');
    expect(clientFrame({ opcode: 2, length: 5, mask: false }).toString('hex')).toBe('8205');
    expect(clientFrame({ opcode: 2, length: 2n ** 63n, mask: false }).toString('hex')).toBe('827f8000000000000000');
  });
});

describe('a FrameReader', () => {
  const sent = [
    { opcode: 1, payload: 'a' },
    { opcode: 2, payload: Buffer.alloc(200, 2), fin: false },
    { opcode: 0, payload: Buffer.alloc(70_000, 3), rsv: 4 },
    { opcode: 8 },
  ];
  const bytes = Buffer.concat(sent.map((one) => clientFrame({ ...one, mask: false })));
  const wanted = sent.map(({ opcode, payload = '', fin = true, rsv = 0 }) => ({
    opcode,
    fin,
    rsv,
    masked: false,
    payload: Buffer.from(payload as string),
  }));

  it.each([
    ['whole', bytes.length],
    ['byte by byte', 1],
    ['in pieces', 1009],
  ])('reads frames %s', (_how, size) => {
    const reader = new FrameReader();
    const got = [];
    for (let at = 0; at < bytes.length; at += size) got.push(...reader.feed(bytes.subarray(at, at + size)));
    expect(got).toEqual(wanted);
  });

  it('does not copy a long frame for each of its pieces', () => {
    const concat = jest.spyOn(Buffer, 'concat');
    const reader = new FrameReader();
    for (const byte of bytes) reader.feed(Buffer.of(byte));
    const calls = concat.mock.calls.length;
    concat.mockRestore();
    expect(calls).toBeLessThan(20);
  });

  it('gives what is complete, and keeps what is not', () => {
    const reader = new FrameReader();
    expect(reader.feed(Buffer.from('810161810262', 'hex'))).toHaveLength(1);
    expect(reader.feed(Buffer.from('63', 'hex'))).toMatchObject([{ payload: Buffer.from('bc') }]);
  });

  it('tells a masked frame', () => {
    expect(new FrameReader().feed(clientFrame({ opcode: 1, payload: 'x' }))).toMatchObject([{ masked: true }]);
  });
});
