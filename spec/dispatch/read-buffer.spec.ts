import { ReadBuffer } from '../../lib/dispatch/read-buffer.js';
import { randomFrom } from '../framing/recording-sink.js';

const content = (buffer: ReadBuffer): string => buffer.bytes.toString('latin1', buffer.start, buffer.end);

describe('the read buffer', () => {
  it('holds what was appended and not dropped, in order', () => {
    const random = randomFrom(7);
    const buffer = new ReadBuffer();
    let expected = '';
    for (let i = 0; i < 5000; i++) {
      if (random(3) > 0) {
        const more = Buffer.from(Array.from({ length: random(40) }, () => 97 + random(26)));
        buffer.append(1, more, 0, more.length);
        expected += more.toString();
        more.fill(0);
      } else {
        const count = random(expected.length + 1);
        buffer.drop(buffer.start + count);
        expected = expected.slice(count);
      }
      if (content(buffer) !== expected || buffer.length !== expected.length) throw new Error(`step ${i}`);
    }
  });

  it('appends a part of a chunk', () => {
    const buffer = new ReadBuffer();
    buffer.append(2, Buffer.from('abcdef'), 2, 4);
    expect([content(buffer), buffer.kind]).toEqual(['cd', 2]);
  });

  it('takes no more than twice what it holds, and copies each byte a few times at most, byte by byte', () => {
    const buffer = new ReadBuffer();
    const byte = Buffer.from('x');
    let allocated = 0;
    let before = buffer.bytes;
    for (let i = 1; i <= 100_000; i++) {
      buffer.append(1, byte, 0, 1);
      if (buffer.bytes !== before) allocated += buffer.bytes.length;
      before = buffer.bytes;
      if (buffer.bytes.length > 2 * i) throw new Error(`${buffer.bytes.length} bytes for ${i}`);
    }
    expect(allocated).toBeLessThan(4 * 100_000);
  });

  it('takes no more than twice what it holds either where much is announced', () => {
    for (const size of [1000, 65_536, 100_000]) {
      for (const piece of [1, 100, 40_000]) {
        const buffer = new ReadBuffer();
        const chunk = Buffer.alloc(piece, 'x');
        for (let at = 0; at < size; at += piece) {
          const more = Math.min(piece, size - at);
          buffer.append(2, chunk, 0, more, size - at - more);
          if (buffer.bytes.length > 2 * (at + more)) throw new Error(`${buffer.bytes.length} bytes for ${at + more}`);
        }
        expect(content(buffer)).toBe('x'.repeat(size));
      }
    }
  });

  it('takes what a message needs and no more where it comes in two parts', () => {
    const buffer = new ReadBuffer();
    buffer.append(2, Buffer.alloc(30_000), 0, 30_000, 35_536);
    buffer.append(2, Buffer.alloc(35_536), 0, 35_536);
    expect(buffer.bytes).toHaveLength(65_536);
  });

  it('copies a message once of which more than half comes at once', () => {
    const buffer = new ReadBuffer();
    buffer.append(2, Buffer.alloc(40_000), 0, 40_000, 25_000);
    const { bytes } = buffer;
    buffer.append(2, Buffer.alloc(25_000), 0, 25_000);
    expect(buffer.bytes).toBe(bytes);
  });

  it('does not grow while as much is dropped as is appended', () => {
    const buffer = new ReadBuffer();
    const chunk = Buffer.alloc(100, 'x');
    for (let i = 0; i < 10; i++) buffer.append(1, chunk, 0, 100);
    for (let i = 0; i < 10_000; i++) {
      buffer.append(1, chunk, 0, 100);
      buffer.drop(buffer.start + 100);
    }
    expect(buffer.length).toBe(1000);
    expect(buffer.bytes.length).toBeLessThanOrEqual(4096);
  });

  it('holds no memory while it is empty, and never writes to memory it gave away', () => {
    const buffer = new ReadBuffer();
    buffer.append(1, Buffer.from('mine'), 0, 4);
    const given = buffer.bytes.subarray(buffer.start, buffer.end);
    buffer.release();
    expect(buffer.bytes).toHaveLength(0);
    buffer.append(1, Buffer.from('next'), 0, 4);
    expect(given.toString()).toBe('mine');
    buffer.drop(buffer.end);
    expect(buffer.bytes).toHaveLength(0);
  });
});
