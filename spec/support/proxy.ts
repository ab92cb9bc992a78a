/** A TCP proxy that can fall silent as a network does: what is sent is swallowed, both ways, and nobody is told anything. */
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';
import type { Running } from './server.js';

export interface Proxy {
  /** `ws://127.0.0.1:port`. */
  url: string;
  /** From now on every byte is taken and none passed on; no end and no reset of either side reaches the other. */
  swallow(): void;
  close(): Promise<void>;
}

const running = new Set<Proxy>();

export async function proxyOf(target: Running): Promise<Proxy> {
  const sockets = new Set<Socket>();
  let isSilent = false;
  const passOn = (from: Socket, to: Socket): void => {
    sockets.add(from);
    from.on('data', (chunk) => {
      if (!isSilent) to.write(chunk);
    });
    from.on('end', () => {
      if (!isSilent) to.end();
    });
    from.on('error', () => {});
    from.on('close', () => {
      sockets.delete(from);
      if (!isSilent) to.destroy();
    });
  };
  // Half-open, so that what one side ends is not ended by this end of its own accord.
  const server = createServer({ allowHalfOpen: true }, (near) => {
    const far = connect({ port: target.port, host: '127.0.0.1', allowHalfOpen: true });
    passOn(near, far);
    passOn(far, near);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const result: Proxy = {
    url: `ws://127.0.0.1:${(server.address() as AddressInfo).port}`,
    swallow() {
      isSilent = true;
    },
    async close() {
      running.delete(result);
      for (const socket of sockets) socket.destroy();
      await new Promise((resolve) => server.close(resolve));
    },
  };
  running.add(result);
  return result;
}

afterEach(async () => {
  for (const proxy of running) await proxy.close();
});
