import { isControl, Opcode } from '../../lib/framing/opcode.js';

describe('opcodes, RFC 6455 section 5.2', () => {
  it('are the numbers of the RFC', () => {
    expect(Opcode).toEqual({ Continuation: 0, Text: 1, Binary: 2, Close: 8, Ping: 9, Pong: 10 });
  });

  it('are control opcodes where the most significant of the four bits is 1', () => {
    for (let opcode = 0; opcode < 16; opcode++) expect(isControl(opcode)).toBe((opcode & 0b1000) !== 0);
  });
});
