import { asBytes, checkBytes } from '../../lib/memory/bytes.js';

const memory = new Uint8Array([1, 2, 3, 4]).buffer;

/** What was transferred to somebody else, as to a worker. */
function transferred<T extends ArrayBuffer | ArrayBufferView>(value: T): T {
  structuredClone(value, { transfer: [(ArrayBuffer.isView(value) ? value.buffer : value) as ArrayBuffer] });
  return value;
}

describe('the bytes of a value', () => {
  it('are those of its memory, not copied', () => {
    const views = [memory, new Uint8Array(memory), Buffer.from(memory), new Uint16Array(memory), new DataView(memory)];
    for (const value of views) {
      const bytes = asBytes(value)!;
      expect([[...bytes], bytes.buffer === memory]).toEqual([[1, 2, 3, 4], true]);
    }
  });

  it('are those of the part that a view shows', () => {
    expect([...asBytes(new DataView(memory, 1, 2))!]).toEqual([2, 3]);
    expect([...asBytes(new Uint16Array(memory, 2, 1))!]).toEqual([3, 4]);
  });

  it('may be none', () => {
    for (const empty of [new ArrayBuffer(0), Buffer.alloc(0), new DataView(memory, 4)])
      expect(asBytes(empty)).toHaveLength(0);
  });

  it.each([undefined, null, 'text', 5, [1, 2], {}])('are not there for %p', (value) => {
    expect(asBytes(value)).toBeUndefined();
  });

  it('are not there any more once they were transferred', () => {
    const make = (): ArrayBuffer => new Uint8Array([1, 2, 3, 4]).buffer;
    for (const value of [make(), new Uint8Array(make()), new Uint16Array(make()), new DataView(make())]) {
      expect(asBytes(transferred(value))).toBeUndefined();
    }
  });
});

it('an argument without bytes is refused by its name', () => {
  expect(checkBytes('data', Buffer.from('a'))).toEqual(Buffer.from('a'));
  expect(() => checkBytes('data', 'a' as never)).toThrow(TypeError);
  expect(() => checkBytes('data', 'a' as never)).toThrow("data is 'a': it must be a Buffer or Uint8Array");
});
