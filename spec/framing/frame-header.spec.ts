import {
  FIN,
  MAX_HEADER_LENGTH,
  maskedHeaderLength,
  payloadLength,
  validateMask,
  validateOpcode,
} from '../../lib/framing/frame-header.js';
import { failure } from './recording-sink.js';

describe('the first octet of a frame, RFC 6455 section 5.2', () => {
  /** The close code for this octet, if there is one. */
  const judged = (first: number, isOpen = false, isDeflate = false): number | undefined =>
    failure(() => validateOpcode(first, isOpen, isDeflate));

  it('may have an opcode that is defined, and no other', () => {
    const taken = Array.from({ length: 16 }, (_, opcode) => opcode).filter((opcode) => {
      const code = judged(FIN | opcode, opcode === 0);
      expect([undefined, 1002]).toContain(code);
      return code === undefined;
    });
    expect(taken).toEqual([0, 1, 2, 8, 9, 10]);
  });

  it('may have no reserved bit, but RSV1 where a compressed message begins', () => {
    for (const bit of [0x10, 0x20, 0x40]) expect(judged(FIN | bit | 1)).toBe(1002);
    expect(judged(FIN | 0x41, false, true)).toBeUndefined();
    expect(judged(0x42, false, true)).toBeUndefined();
    for (const first of [0x40, FIN | 0x48, FIN | 0x49, FIN | 0x61]) expect(judged(first, true, true)).toBe(1002);
  });

  it('may fragment messages, in order, and no control frame', () => {
    expect([judged(0x01), judged(0x00, true), judged(FIN, true), judged(FIN | 9, true)]).toEqual(Array(4));
    expect([judged(0x08), judged(0x09), judged(0x0a)]).toEqual([1002, 1002, 1002]);
    expect([judged(0x00), judged(FIN)]).toEqual([1002, 1002]);
    expect([judged(0x01, true), judged(FIN | 2, true)]).toEqual([1002, 1002]);
  });
});

describe('the second octet of a frame', () => {
  it('must say that the frame is masked, section 5.1', () => {
    expect(failure(() => validateMask(FIN | 1, 0x80))).toBeUndefined();
    expect(failure(() => validateMask(FIN | 1, 0x7f))).toBe(1002);
  });

  it('limits control frames to 125 octets, section 5.5, and no other', () => {
    expect(failure(() => validateMask(FIN | 9, 0x80 | 125))).toBeUndefined();
    expect(failure(() => validateMask(FIN | 9, 0x80 | 126))).toBe(1002);
    expect(failure(() => validateMask(FIN | 2, 0x80 | 127))).toBeUndefined();
  });

  it('says how long the header is', () => {
    expect([0, 125, 126, 127].map((length) => maskedHeaderLength(0x80 | length))).toEqual([6, 6, 8, MAX_HEADER_LENGTH]);
  });
});

describe('the length of a payload', () => {
  const lengthOf = (...octets: number[]): number => payloadLength(Buffer.from([0xff, FIN | 2, ...octets]), 1);

  it('has 7, 16 or 64 bits, from any place on', () => {
    expect(lengthOf(0x80 | 125)).toBe(125);
    expect(lengthOf(0x80 | 126, 0x01, 0x02)).toBe(0x102);
    expect(lengthOf(0x80 | 127, 0, 0, 0, 1, 0, 0, 0, 2)).toBe(2 ** 32 + 2);
  });

  it('must be encoded in as few octets as it may', () => {
    expect(lengthOf(0x80 | 126, 0, 126)).toBe(126);
    expect(failure(() => lengthOf(0x80 | 126, 0, 125))).toBe(1002);
    expect(lengthOf(0x80 | 127, 0, 0, 0, 0, 0, 1, 0, 0)).toBe(65_536);
    expect(failure(() => lengthOf(0x80 | 127, 0, 0, 0, 0, 0, 0, 0xff, 0xff))).toBe(1002);
  });

  it('must have no top bit, and is too big from 2^53 on', () => {
    expect(failure(() => lengthOf(0x80 | 127, 0x80, 0, 0, 0, 0, 0, 0, 0))).toBe(1002);
    expect(failure(() => lengthOf(0x80 | 127, 0, 0x20, 0, 0, 0, 0, 0, 0))).toBe(1009);
    expect(lengthOf(0x80 | 127, 0, 0x1f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff)).toBe(Number.MAX_SAFE_INTEGER);
  });
});
