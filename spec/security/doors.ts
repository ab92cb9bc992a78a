/** The two ways that a handshake may come in by (docs/design.md, "Two doors"). */
import { createServer, type RequestListener, type ServerOptions } from 'node:http';
import { upgradeListener } from '../../lib/index.js';
import { type Running, serve } from '../support/server.js';

export type Door = (app: RequestListener, options?: ServerOptions) => Promise<Running>;

const byRequest: Door = (app, options = {}) => serve(createServer(options, app));

const byUpgrade: Door = async (app, options = {}) => {
  const server = createServer(options, app);
  server.on('upgrade', upgradeListener(app));
  return serve(server);
};

export const doors: readonly (readonly [name: string, open: Door])[] = [
  ['the request door', byRequest],
  ['the upgrade door', byUpgrade],
];

/** Fulfilled when the server has seen the end of all its connections. */
export async function allClosed({ sockets }: Running): Promise<void> {
  await Promise.all([...sockets].map((socket) => new Promise((resolve) => socket.once('close', resolve))));
}
