/** Messages that are framed once. */
import { constants, inflateRawSync } from 'node:zlib';
import { Opcode, prepare } from '../../../lib/index.js';
import { openCompressed } from '../compressed.js';
import { open } from '../open.js';

describe('a prepared message', () => {
  it.each([
    ['text', 'é🧀', undefined, 1],
    ['no text at all', '', undefined, 1],
    ['bytes', Buffer.from([0, 1, 255]), undefined, 2],
    ['text as bytes', Buffer.from('é'), Opcode.Text, 1],
    ['a ping', Buffer.from('all?'), Opcode.Ping, 9],
    ['126 characters', 'x'.repeat(126), undefined, 1],
    ['what is not copied by others', Buffer.alloc(100_000, 'x'), undefined, 2],
  ] as const)('is sent to each connection as any other: %s', async (_what, data, frame, opcode) => {
    const message = prepare(data, { frame });
    for (let i = 0; i < 2; i++) {
      const { client, handler } = await open();
      handler.write('before');
      expect(handler.write(message)).toBe(data.length < 64 * 1024);
      handler.write(message, { flush: true });
      expect(await client.nextText()).toBe('before');
      for (let time = 0; time < 2; time++) {
        expect(await client.next()).toMatchObject({ fin: true, opcode, payload: Buffer.from(data as string) });
      }
    }
  });

  it('is a copy', async () => {
    const data = Buffer.from('before');
    const message = prepare(data);
    data.fill('x');
    const { client, handler } = await open();
    handler.write(message);
    expect((await client.next()).payload.toString()).toBe('before');
  });

  it('is compressed where messages are, unless it should not be', async () => {
    const text = JSON.stringify(Array.from({ length: 1000 }, (_, id) => ({ id })));
    const message = prepare(text);
    const { client, handler } = await openCompressed();
    handler.write(message);
    const { rsv, payload } = await client.next();
    expect([rsv, inflateRawSync(payload, { finishFlush: constants.Z_SYNC_FLUSH }).toString()]).toEqual([4, text]);
    handler.write(message, { compress: false });
    expect(await client.next()).toMatchObject({ rsv: 0, payload: Buffer.from(text) });
  });

  it('is refused with another frame, after the end, and where it could never be sent', async () => {
    expect(() => prepare(5 as never)).toThrow('write data');
    expect(() => prepare('text', { opcode: Opcode.Text })).toThrow('Buffer.from(text)');
    expect(() => prepare(Buffer.of(0xff), { opcode: Opcode.Text })).toThrow('valid UTF-8');
    expect(() => prepare(Buffer.alloc(126), { opcode: Opcode.Ping })).toThrow('at most 125 bytes');
    const { client, handler, closes } = await open();
    expect(() => handler.write(prepare('x'), { opcode: Opcode.Binary })).toThrow('pass it to prepare()');
    client.socket.destroy();
    await closes.next();
    expect(() => handler.write(prepare('x'))).toThrow('closed, after onClose');
  });
});
