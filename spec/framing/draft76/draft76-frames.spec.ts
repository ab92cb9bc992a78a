import { draft76Close, draft76Text } from '../../../lib/framing/draft76/draft76-frames.js';
import { InvalidStateError, NetStruct, Opcode, Struct } from '../../../lib/index.js';
import { AsyncQueue } from '../../../lib/testing/async-queue.js';
import { openDraft76 } from '../../connection/open.js';

const framed = (text: string): Buffer => Buffer.concat([Buffer.from([0]), Buffer.from(text), Buffer.from([0xff])]);

describe('what draft-76 sends, section 4.2', () => {
  it('is text between 0x00 and 0xFF, and 0xFF 0x00 in the end', () => {
    expect(draft76Text('é🧀')).toEqual(framed('é🧀'));
    expect(draft76Text('')).toEqual(Buffer.from([0, 0xff]));
    expect(draft76Text(Buffer.from('bytes'))).toEqual(framed('bytes'));
    expect(draft76Close).toEqual(Buffer.from([0xff, 0]));
  });
});

describe('a draft-76 connection', () => {
  it('carries text both ways', async () => {
    const { client, handler } = await openDraft76({
      onRead(data) {
        this.write(`${data}!`);
      },
    });
    expect(handler.version).toBe(0);
    client.send(framed('Hello'), framed(''), framed('κόσμε'));
    const expected = Buffer.concat([framed('Hello!'), framed('!'), framed('κόσμε!')]);
    expect(await client.bytes(expected.length)).toEqual(expected);
    handler.write(Buffer.from('text as bytes'), { opcode: Opcode.Text });
    expect(await client.bytes(15)).toEqual(framed('text as bytes'));
    handler.write('x'.repeat(20_000));
    expect(await client.bytes(20_002)).toEqual(framed('x'.repeat(20_000)));
  });

  it('delivers by delimiter', async () => {
    const reads = new AsyncQueue<unknown>();
    const { client } = await openDraft76({ onRead: (data) => reads.push(data) }, { readDelimiter: '\n' });
    await client.trickle(Buffer.concat([framed('a\nb'), framed('c\n')]));
    expect(await reads.take(2)).toEqual(['a', 'bc']);
  });

  it.each<[string, (handler: Awaited<ReturnType<typeof openDraft76>>['handler']) => unknown]>([
    ['binary data', (handler) => handler.write(Buffer.from('x'))],
    ['pings', (handler) => handler.ping()],
    ['ping frames', (handler) => handler.write(Buffer.from('x'), { opcode: Opcode.Ping })],
    ['packed data', (handler) => handler.writePackedAs('!H', 1)],
    ['data packed by a NetStruct', (handler) => handler.writePackedAs(new NetStruct('H$'), Buffer.from('x'))],
  ])('carries no %s', async (_what, send) => {
    const { client, handler } = await openDraft76();
    expect(() => send(handler)).toThrow(InvalidStateError);
    expect(() => send(handler)).toThrow(/draft-76/);
    handler.write('goes on');
    expect(await client.bytes(9)).toEqual(framed('goes on'));
  });

  it('carries no files', async () => {
    const { handler } = await openDraft76();
    await expect(handler.writeFile(__filename)).rejects.toThrow(InvalidStateError);
  });

  it('is closed with the bytes of the draft, and no code', async () => {
    const { client, handler, closes } = await openDraft76();
    handler.write('last');
    handler.close(4000, 'nobody will hear this');
    expect(await client.rest()).toEqual(Buffer.concat([framed('last'), Buffer.from([0xff, 0])]));
    client.socket.end();
    expect(await closes.next()).toEqual([1005, '', true]);
  });

  it('is closed by the peer, and answers', async () => {
    const { client, closes } = await openDraft76();
    client.send(framed('bye'), Buffer.from([0xff, 0]), framed('never'));
    expect(await client.rest()).toEqual(Buffer.from([0xff, 0]));
    client.socket.end();
    expect(await closes.next()).toEqual([1005, '', true]);
  });

  it.each([
    ['a frame of another type', Buffer.from([0x80, 1, 2]), 1002],
    ['text that is no UTF-8', Buffer.from([0, 0xc0, 0xff]), 1007],
    ['text where bytes are read', framed('x'), 1002],
    ['a message that is too long', framed('x'.repeat(101)), 1009],
  ])('ends without a word for %s', async (_what, bytes, code) => {
    const { client, handler, closes } = await openDraft76({ onOverflowError() {} }, { bufferSize: 100 });
    if (bytes.length === 3 && bytes[1] === 0x78) handler.readDelimiter = new Struct('!H');
    client.send(bytes);
    expect(await client.rest()).toHaveLength(0);
    client.socket.end();
    expect(await closes.next()).toEqual([code, expect.any(String), false]);
  });
});
