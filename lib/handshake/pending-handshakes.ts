/** Handshakes that are at work, by server: one that drains waits for them, as for the hooks of connections. */
import type { IncomingMessage } from 'node:http';
import type { Duplex } from 'node:stream';

const byServer = new WeakMap<object, Set<PendingHandshake>>();

/** From when it is let in until it was refused, its connection is open, or its client has gone. */
export class PendingHandshake {
  readonly socket: Duplex;
  private readonly all: Set<PendingHandshake>;
  private onOver: (() => void) | undefined = undefined;

  /** @param server undefined where it is not known: then nobody can wait for it */
  constructor(socket: Duplex, server: object | undefined) {
    this.socket = socket;
    this.all = server === undefined ? new Set() : pendingHandshakes(server);
    this.all.add(this);
  }

  whenOver(callback: () => void): void {
    this.onOver = callback;
  }

  over(): void {
    if (this.all.delete(this)) this.onOver?.();
  }
}

export function pendingHandshakes(server: object): Set<PendingHandshake> {
  let all = byServer.get(server);
  if (all === undefined) {
    all = new Set();
    byServer.set(server, all);
  }
  return all;
}

/** The HTTP server that a request came by; Node's sets it on every socket that it serves. */
export function serverOf(request: IncomingMessage): object | undefined {
  const server: unknown = Reflect.get(request.socket, 'server');
  return typeof server === 'object' && server !== null ? server : undefined;
}
