/** Real servers on ports of their own, closed after each test. */
import { createServer, type RequestListener, type Server } from 'node:http';
import { createServer as createTlsServer, type Server as TlsServer } from 'node:https';
import type { AddressInfo, Socket } from 'node:net';
import { certificate } from './certificate.js';

type AnyServer = Server | TlsServer;

export interface Running {
  server: AnyServer;
  port: number;
  /** `ws://127.0.0.1:port`, or wss. */
  url: string;
  /** `http://127.0.0.1:port`, or https. */
  httpUrl: string;
  /** The server's ends of the connections that are open. */
  sockets: Set<Socket>;
  close(): Promise<void>;
}

const running = new Set<Running>();

/** Starts a server for an app, or one that was made elsewhere. */
export async function serve(app: RequestListener | AnyServer, { tls = false } = {}): Promise<Running> {
  const server =
    typeof app === 'function' ? (tls ? createTlsServer(await certificate(), app) : createServer(app)) : app;
  const sockets = new Set<Socket>();
  server.on('connection', (socket: Socket) => {
    sockets.add(socket);
    socket.once('close', () => sockets.delete(socket));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  const result: Running = {
    server,
    port,
    sockets,
    url: `${tls ? 'wss' : 'ws'}://127.0.0.1:${port}`,
    httpUrl: `${tls ? 'https' : 'http'}://127.0.0.1:${port}`,
    async close() {
      running.delete(result);
      for (const socket of sockets) socket.destroy();
      if (!server.listening) return;
      await new Promise((resolve) => server.close(resolve));
    },
  };
  running.add(result);
  return result;
}

afterEach(async () => {
  for (const server of running) await server.close();
});
