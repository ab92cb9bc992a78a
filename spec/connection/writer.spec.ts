import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Opcode } from '../../lib/index.js';
import { frame } from '../support/frames.js';
import { countWrites, open, roundTrip, serveHooks, turns } from './open.js';

const folder = mkdtempSync(join(tmpdir(), 'websocket-route-'));
const file = join(folder, 'file');
writeFileSync(file, 'FILE');
afterAll(() => rmSync(folder, { recursive: true }));

describe('what one turn of the event loop writes', () => {
  it('leaves in one system call, and arrives in order', async () => {
    const { client, handler, socket } = await open();
    await turns(2);
    const writes = countWrites(socket);
    const chunks: number[] = [];
    client.socket.on('data', (chunk: Buffer) => chunks.push(chunk.length));
    for (let i = 0; i < 100; i++) handler.write(`message ${i}`);
    expect(writes.count).toBe(0);
    for (let i = 0; i < 100; i++) expect(await client.nextText()).toBe(`message ${i}`);
    expect(writes.count).toBe(1);
    expect(chunks).toHaveLength(1);
  });

  it('leaves in one system call from onRead, too, with the pongs in their place', async () => {
    const { client, socket } = await open({
      onRead(data) {
        this.write(data);
      },
    });
    await turns(2);
    const writes = countWrites(socket);
    const bytes: Buffer[] = [];
    for (let i = 0; i < 50; i++)
      bytes.push(frame({ opcode: 1, payload: `${i}` }), frame({ opcode: 9, payload: `${i}` }));
    client.send(...bytes);
    for (let i = 0; i < 50; i++) {
      expect(await client.nextText()).toBe(`${i}`);
      expect(await client.next()).toMatchObject({ opcode: 10, payload: Buffer.from(`${i}`) });
    }
    expect(writes.count).toBe(1);
  });

  it('leaves at once with flush, after what was written before it', async () => {
    const { client, handler, socket } = await open();
    await turns(2);
    const writes = countWrites(socket);
    handler.write('a');
    handler.write('b', { flush: true });
    expect(writes.count).toBe(1);
    handler.write('c');
    handler.flush();
    expect(writes.count).toBe(2);
    handler.write('d');
    expect(await client.bytes(12)).toEqual(Buffer.from('810161810162810163810164', 'hex'));
    expect(writes.count).toBe(3);
  });

  it('leaves with flush from within onRead', async () => {
    const counted: number[] = [];
    const { client, socket } = await open({
      onRead(data) {
        this.write(data, { flush: true });
        counted.push(writes.count);
      },
    });
    const writes = countWrites(socket);
    client.send(frame({ opcode: 1, payload: 'a' }), frame({ opcode: 1, payload: 'b' }));
    expect([await client.nextText(), await client.nextText()]).toEqual(['a', 'b']);
    expect(counted).toEqual([1, 2]);
  });

  it('is not written when there is nothing', async () => {
    const { client, handler, socket } = await open();
    await turns(2);
    const writes = countWrites(socket);
    handler.flush();
    await turns(2);
    expect(writes.count).toBe(0);
    await roundTrip(client, frame({ opcode: 9 }));
  });
});

describe('payloads on their way out', () => {
  it('of all sizes, text, bytes and files keep their order', async () => {
    const { client, handler } = await open();
    const sizes = [0, 1, 125, 126, 127, 8190, 8191, 8192, 8193, 65534, 65535, 65536, 70_000, 1_000_000];
    const expected: [number, Buffer][] = [];
    for (let round = 0; round < 3; round++) {
      for (const size of sizes) {
        const letters = 'abcdefghijk'.repeat(Math.ceil(size / 11)).slice(0, size);
        handler.write(letters);
        expected.push([1, Buffer.from(letters)]);
        handler.write(Buffer.alloc(size, round + 1), { flush: size === 127 });
        expected.push([2, Buffer.alloc(size, round + 1)]);
        if (size % 2 === 1) {
          void handler.writeFile(file);
          expected.push([2, Buffer.from('FILE')]);
        }
      }
      await turns();
    }
    for (const [opcode, payload] of expected) {
      const got = await client.next();
      expect([got.opcode, got.fin, got.masked, got.rsv]).toEqual([opcode, true, false, 0]);
      expect(got.payload.equals(payload)).toBe(true);
    }
  });

  it('are taken as they are when they are written, up to 8 KiB', async () => {
    const { client, handler } = await open();
    const mine = Buffer.alloc(8192, 1);
    handler.write(mine);
    mine.fill(2);
    expect((await client.next()).payload.equals(Buffer.alloc(8192, 1))).toBe(true);
  });

  it('are not copied above that', async () => {
    const { client, handler } = await open();
    const large = Buffer.alloc(8193, 1);
    handler.write(large);
    large.fill(2);
    expect((await client.next()).payload.equals(large)).toBe(true);
  });

  it('do not mix with those of other connections in one turn', async () => {
    const { open: connect } = await serveHooks({});
    const all = await Promise.all(Array.from({ length: 20 }, () => connect()));
    for (let i = 0; i < 300; i++) all.forEach(({ handler }, who) => void handler.write(`${who}: ${'x'.repeat(i)}${i}`));
    await Promise.all(
      all.map(async ({ client }, who) => {
        for (let i = 0; i < 300; i++) expect(await client.nextText()).toBe(`${who}: ${'x'.repeat(i)}${i}`);
      }),
    );
  });

  it('stay as they are behind a file while other connections write', async () => {
    const { open: connect } = await serveHooks({});
    const [waiting, other] = [await connect(), await connect()];
    waiting.handler.write('before');
    const sent = waiting.handler.writeFile(file);
    waiting.handler.write('behind the file');
    waiting.handler.flush();
    for (let i = 0; i < 5000; i++) other.handler.write('not for your eyes');
    other.handler.flush();
    await sent;
    expect(await waiting.client.nextText()).toBe('before');
    expect((await waiting.client.next()).payload.toString()).toBe('FILE');
    expect(await waiting.client.nextText()).toBe('behind the file');
  });

  it('stay as they are for a peer that reads late', async () => {
    const { open: connect } = await serveHooks({});
    const [late, other] = [await connect(), await connect()];
    late.client.socket.pause();
    late.handler.write(Buffer.alloc(8_000_000, 1), { flush: true });
    for (let i = 0; i < 500; i++) {
      late.handler.write(`late ${i}`, { flush: true });
      other.handler.write(`other ${i}`, { flush: true });
    }
    for (let i = 0; i < 500; i++) expect(await other.client.nextText()).toBe(`other ${i}`);
    late.client.socket.resume();
    expect((await late.client.next()).payload).toHaveLength(8_000_000);
    for (let i = 0; i < 500; i++) expect(await late.client.nextText()).toBe(`late ${i}`);
  });

  it('arrive over TLS', async () => {
    const { client, handler } = await open({}, {}, { tls: true });
    expect(handler.isSecure).toBe(true);
    handler.write('small');
    handler.write(Buffer.alloc(300_000, 7));
    handler.write('small again');
    expect(await client.nextText()).toBe('small');
    expect((await client.next()).payload.equals(Buffer.alloc(300_000, 7))).toBe(true);
    expect(await client.nextText()).toBe('small again');
  });

  it.each([
    ['Text', Opcode.Text],
    ['Binary', Opcode.Binary],
    ['Ping', Opcode.Ping],
    ['Pong', Opcode.Pong],
  ])('have the opcode that was asked for, %s', async (_name, opcode) => {
    const { client, handler } = await open();
    handler.write(Buffer.from('abc'), { frame: opcode });
    expect(await client.bytes(5)).toEqual(Buffer.from([0x80 | opcode, 3, 97, 98, 99]));
  });
});
