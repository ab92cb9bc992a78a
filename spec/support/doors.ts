/** Each way into the library: by the request door and by the upgrade door, over TCP and over TLS. */
import { createServer, type RequestListener } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import { upgradeListener } from '../../lib/index.js';
import { certificate } from './certificate.js';
import { type Running, serve } from './server.js';

export interface Door {
  readonly name: string;
  readonly tls: boolean;
  readonly upgrade: boolean;
}

export const DOORS: readonly Door[] = [
  { name: 'the request door', tls: false, upgrade: false },
  { name: 'the request door over TLS', tls: true, upgrade: false },
  { name: 'the upgrade door', tls: false, upgrade: true },
  { name: 'the upgrade door over TLS', tls: true, upgrade: true },
];

export async function serveAt({ tls, upgrade }: Door, app: RequestListener): Promise<Running> {
  const server = tls ? createTlsServer(await certificate(), app) : createServer(app);
  if (upgrade) server.on('upgrade', upgradeListener(app));
  return serve(server, { tls });
}
