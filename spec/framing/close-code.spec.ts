import { CloseCode, isSendableCloseCode } from '../../lib/framing/close-code.js';

describe('close codes, RFC 6455 section 7.4', () => {
  it('may be sent or not, each of the 65,536', () => {
    const sendable: number[] = [];
    for (let code = 0; code <= 65535; code++) if (isSendableCloseCode(code)) sendable.push(code);
    const registered = [1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 1012, 1013, 1014];
    expect(sendable).toEqual([...registered, ...Array.from({ length: 2000 }, (_, i) => 3000 + i)]);
  });

  it('have names for all that may be sent below 3000, and for the three that are never on the wire', () => {
    const named = Object.values(CloseCode).sort((a, b) => a - b);
    expect(named.filter(isSendableCloseCode)).toEqual([
      1000,
      1001,
      1002,
      1003,
      ...[7, 8, 9, 10, 11, 12, 13, 14].map((n) => 1000 + n),
    ]);
    expect(named.filter((code) => !isSendableCloseCode(code))).toEqual([1005, 1006, 1015]);
  });
});
