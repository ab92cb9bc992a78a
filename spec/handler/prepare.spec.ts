import { framedOf } from '../../lib/connection/outbound/prepared-message.js';
import { prepare } from '../../lib/handler/prepare.js';
import { Opcode } from '../../lib/index.js';
import { usageErrorCode } from '../support/usage-error.js';

describe('prepare', () => {
  it('frames a string as text, and bytes as binary data', () => {
    expect(framedOf(prepare('é')).frame).toEqual(Buffer.from('8102c3a9', 'hex'));
    expect(framedOf(prepare(Buffer.from([1, 2]))).frame).toEqual(Buffer.from('82020102', 'hex'));
    expect(framedOf(prepare(new Uint16Array([0x0101]))).frame).toEqual(Buffer.from('82020101', 'hex'));
  });

  it('gives bytes another opcode where one is asked for, also by its old name', () => {
    expect(framedOf(prepare(Buffer.from('a'), { opcode: Opcode.Text })).opcode).toBe(Opcode.Text);
    expect(framedOf(prepare(Buffer.from('a'), { frame: Opcode.Ping })).opcode).toBe(Opcode.Ping);
  });

  it('copies the data, which may change afterwards', () => {
    const data = Buffer.from('before');
    const message = prepare(data);
    data.fill('x');
    expect(framedOf(message).payload.toString()).toBe('before');
  });

  it.each([
    ['no data', () => prepare(undefined as never)],
    ['an object', () => prepare({} as never)],
    ['a string with an opcode', () => prepare('text', { opcode: Opcode.Text })],
    ['text that is not UTF-8', () => prepare(Buffer.from([0xff]), { opcode: Opcode.Text })],
    ['a ping of more than 125 bytes', () => prepare(Buffer.alloc(126), { opcode: Opcode.Ping })],
    ['a close frame', () => prepare(Buffer.alloc(2), { opcode: Opcode.Close })],
    ['an option that only write has', () => prepare('a', { flush: true } as never)],
  ])('refuses %s', (_what, run) => {
    expect(run).toThrow(expect.objectContaining({ name: 'TypeError', code: usageErrorCode() }));
  });
});
