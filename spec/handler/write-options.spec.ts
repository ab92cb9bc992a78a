import {
  bytesOf,
  checkBroadcastOptions,
  checkOpcode,
  checkWriteOptions,
  misplacedOption,
  opcodeOf,
  pingDataOf,
  preparedAlready,
} from '../../lib/handler/write-options.js';
import { Opcode } from '../../lib/index.js';

describe.each([
  ['write', checkWriteOptions],
  ['broadcast', checkBroadcastOptions],
])('the options of %s', (method, check: (options: object) => void) => {
  it('may be left out, undefined, or any that there are', () => {
    check({});
    check(Object.freeze({ flush: undefined, compress: undefined, opcode: undefined }));
    check({ opcode: Opcode.Text, flush: true, compress: false });
    check(Object.create(null));
  });

  it('are refused each time, and named, where one is unknown or has a wrong value', () => {
    const wrong: [object, string][] = [
      [{ flsh: true }, 'did you mean flush?'],
      [{ flush: 1 }, `${method} flush is 1`],
      [{ compress: 'no' }, `${method} compress is 'no'`],
    ];
    for (const [options, message] of wrong) {
      expect(() => check(options)).toThrow(message);
      expect(() => check(options)).toThrow(TypeError);
    }
  });

  it.each([true, 'text', [], new Map()])('are one plain object: not %p', (options) => {
    expect(() => check(options as object)).toThrow(`${method} options`);
  });

  it('take frame for opcode, unless both say different things', () => {
    check({ frame: Opcode.Text, opcode: Opcode.Text });
    expect(() => check({ frame: Opcode.Text, opcode: Opcode.Binary })).toThrow('leave frame out');
  });
});

describe('the opcode', () => {
  it('is what the options say, by the new name or the old', () => {
    expect([opcodeOf({}), opcodeOf({ opcode: 1 }), opcodeOf({ frame: 2 })]).toEqual([undefined, 1, 2]);
  });

  it('must be one that carries data of the user', () => {
    for (const opcode of [Opcode.Text, Opcode.Binary, Opcode.Ping, Opcode.Pong]) checkOpcode(opcode, Buffer.from('a'));
    for (const opcode of [0, 3, 8, 11, '1', null])
      expect(() => checkOpcode(opcode as Opcode, Buffer.alloc(0))).toThrow('opcode');
  });

  it('limits what the bytes may be: UTF-8 in text, 125 at most in pings and pongs', () => {
    expect(() => checkOpcode(Opcode.Text, Buffer.from([0xc3]))).toThrow('UTF-8');
    checkOpcode(Opcode.Binary, Buffer.from([0xc3]));
    checkOpcode(Opcode.Pong, Buffer.alloc(125));
    expect(() => checkOpcode(Opcode.Pong, Buffer.alloc(126))).toThrow('has 126');
  });
});

describe('the data', () => {
  it('has bytes where it is a view or an ArrayBuffer, of the same memory', () => {
    const { buffer } = new Uint8Array([1, 2, 3, 4]);
    expect([...bytesOf(buffer)]).toEqual([1, 2, 3, 4]);
    expect([...bytesOf(new DataView(buffer, 1, 2))]).toEqual([2, 3]);
    expect(bytesOf(new Uint8Array(buffer)).buffer).toBe(buffer);
  });

  it('is refused with the way to make it what it must be', () => {
    expect(() => bytesOf('text')).toThrow('Buffer.from(text)');
    expect(() => bytesOf({ a: 1 } as never)).toThrow('JSON.stringify()');
    expect(() => bytesOf(5 as never)).toThrow('String()');
    expect(() => bytesOf(null as never)).toThrow(/or an ArrayBuffer$/);
  });

  it('of a ping is a copy of at most 125 bytes, or none', () => {
    expect(pingDataOf(undefined)).toBeUndefined();
    expect(pingDataOf('é')).toEqual(Buffer.from('é'));
    const own = Buffer.from('own');
    const copy = pingDataOf(own)!;
    own.fill(0);
    expect(copy.toString()).toBe('own');
    expect(() => pingDataOf('é'.repeat(63))).toThrow('has 126');
    expect(() => pingDataOf(5 as never)).toThrow('ping data is 5');
  });
});

it('complaints about what stands in the wrong place tell the right one', () => {
  expect(misplacedOption(true).message).toContain('write(data, { opcode: Opcode.Text, flush: true })');
  expect(preparedAlready('write', Opcode.Text).message).toContain('pass it to prepare()');
});
