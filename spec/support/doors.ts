/** Each way into the library: by the request door and by the upgrade door, over TCP and over TLS. */
import { createServer, type RequestListener, type Server } from 'node:http';
import { createServer as createTlsServer, type Server as TlsServer } from 'node:https';
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

export async function serverAt({ tls, upgrade }: Door, app: RequestListener): Promise<Server | TlsServer> {
  const server = tls ? createTlsServer(await certificate(), app) : createServer(app);
  if (upgrade) server.on('upgrade', upgradeListener(app));
  return server;
}

export async function serveAt(door: Door, app: RequestListener): Promise<Running> {
  return serve(await serverAt(door, app), door);
}
