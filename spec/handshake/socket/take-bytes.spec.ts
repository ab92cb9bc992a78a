import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { connect, createServer, type Socket } from 'node:net';
import { takeBytes } from '../../../lib/handshake/socket/take-bytes.js';

const NEVER = 2 ** 31 - 1;
let near: Socket;
let far: Socket;
beforeEach(async () => {
  const server = createServer({ allowHalfOpen: true }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const accepted = once(server, 'connection');
  far = connect((server.address() as AddressInfo).port, '127.0.0.1');
  far.on('error', () => {});
  [near] = (await accepted) as [Socket];
  near.on('error', () => {});
  server.close();
});
afterEach(() => {
  near.destroy();
  far.destroy();
});

describe('takeBytes', () => {
  it('takes them from what is there already', async () => {
    const taken = await takeBytes(near, Buffer.from('12345678rest'), 8, NEVER);
    expect(String(taken?.bytes)).toBe('12345678');
    expect(String(taken?.rest)).toBe('rest');
    expect(near.listenerCount('readable')).toBe(0);
  });

  it('waits for the rest, and leaves what is beyond', async () => {
    const taking = takeBytes(near, Buffer.from('12'), 8, NEVER);
    far.write('345');
    await once(near, 'readable');
    far.write('678rest');
    const taken = await taking;
    expect(String(taken?.bytes)).toBe('12345678');
    expect('rest'.startsWith(String(taken?.rest))).toBe(true);
  });

  it.each(['end', 'destroy', 'resetAndDestroy'] as const)('gives up when the peer goes away, by %s', async (vanish) => {
    const taking = takeBytes(near, Buffer.from('12'), 8, NEVER);
    far.write('3');
    far[vanish]();
    expect(await taking).toBeUndefined();
  });

  it('gives up when it takes too long', async () => {
    expect(await takeBytes(near, Buffer.alloc(0), 8, 10)).toBeUndefined();
  });

  it('leaves no listener', async () => {
    const before = near.eventNames().map((name) => near.listenerCount(name));
    await takeBytes(near, Buffer.alloc(0), 8, 1);
    expect(near.eventNames().map((name) => near.listenerCount(name))).toEqual(before);
  });
});
