import { frame, text } from '../../support/frames.js';
import { open, sendAndSettle, turns } from '../open.js';

const ping = (payload: string): Buffer => frame({ opcode: 9, payload });

describe('pings of the peer', () => {
  it('are answered in order, with their payload, between messages', async () => {
    const { client } = await open({
      onRead(data) {
        this.write(data);
      },
    });
    client.send(ping(''), text('a'), ping('1'), ping('x'.repeat(125)), text('b'), ping('2'));
    const answers = [];
    for (let i = 0; i < 6; i++) {
      const { opcode, payload } = await client.next();
      answers.push([opcode, payload.toString()]);
    }
    expect(answers).toEqual([
      [10, ''],
      [1, 'a'],
      [10, '1'],
      [10, 'x'.repeat(125)],
      [1, 'b'],
      [10, '2'],
    ]);
  });

  it('are answered while a message is under way', async () => {
    const { client } = await open();
    client.send(text('a', false), ping('inside'));
    expect((await client.next()).payload.toString()).toBe('inside');
  });

  it('are each answered, however many come at a time', async () => {
    const { client } = await open();
    const count = 4000;
    client.send(Buffer.concat(Array.from({ length: count }, (_, i) => ping(String(i).padStart(100, '.')))));
    for (let i = 0; i < count; i++)
      expect(Number((await client.next()).payload.toString().replace(/^[.]+/, ''))).toBe(i);
  });

  it('are not answered after a close frame of ours', async () => {
    const { client, handler } = await open();
    handler.close();
    await expect(client).toCloseWith(1000, '');
    client.send(ping('late'));
    client.send(frame({ opcode: 8, payload: Buffer.from([3, 232]) }));
    expect(await client.rest()).toHaveLength(0);
  });

  it('pings of a peer that never reads pile up to a bound, and the latest is answered once it reads', async () => {
    const { client, handler } = await open();
    client.socket.pause();
    const flood = Buffer.concat(new Array<Buffer>(8000).fill(ping('x'.repeat(125))));
    let most = 0;
    let before = -1;
    // Until the kernel takes no more answers: then the amount stands still.
    for (let i = 0; i < 40; i++) {
      await new Promise((resolve) => client.socket.write(flood, resolve));
      await turns(5);
      most = Math.max(most, handler.bufferedAmount);
      if (handler.bufferedAmount > 0 && handler.bufferedAmount === before) break;
      before = handler.bufferedAmount;
    }
    expect(most).toBeGreaterThan(0);
    expect(most).toBeLessThan(128 * 1024);
    client.socket.resume();
    client.send(ping('latest'));
    for (;;) if ((await client.next()).payload.toString() === 'latest') break;
    expect(handler.bufferedAmount).toBe(0);
  });

  it('are answered again after a flood that was held back by our own data', async () => {
    const opened = await open();
    const { client, handler } = opened;
    client.socket.pause();
    handler.write(Buffer.alloc(7 << 20), { flush: true });
    await sendAndSettle(opened, ...Array.from({ length: 100 }, (_, i) => ping(`${i}`)));
    client.socket.resume();
    expect((await client.next()).opcode).toBe(2);
    expect((await client.next()).payload.toString()).toBe('99');
    client.send(ping('again'));
    expect((await client.next()).payload.toString()).toBe('again');
  });
});
