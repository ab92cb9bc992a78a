/** Which servers are draining: handshakes are refused then, and `drain` closes open connections. */
import type { IncomingMessage } from 'node:http';
import type { OpenConnection } from '../telemetry/route-counters.js';
import { serverOf } from '../transport/server-of.js';
import { type PlainRefusal, refuse } from './refusal.js';

export interface Draining {
  /** Seconds after which a refused client may try again. */
  readonly retryAfter: number;
  /** Closes a connection that opened after draining had begun. */
  take(connection: OpenConnection): void;
}

const servers = new WeakMap<object, Draining>();

export function beginDraining(server: object, draining: Draining): void {
  servers.set(server, draining);
}

export function endDraining(server: object): void {
  servers.delete(server);
}

export function drainingOf(request: IncomingMessage): Draining | undefined {
  const server = serverOf(request.socket);
  return server && servers.get(server);
}

export function refuseWhileDraining({ retryAfter }: Draining): PlainRefusal {
  const headers = { 'Retry-After': String(retryAfter), Connection: 'close' };
  return refuse(503, 'draining', 'This server is shutting down: reconnect to another one.', headers);
}
