/** Handshakes in progress, by server: a draining server waits for them, as it does for hooks. */
import type { Duplex } from 'node:stream';

const byServer = new WeakMap<object, Set<PendingHandshake>>();

/** A handshake from its admission until it is refused, its connection is open, or the client disconnects. */
export class PendingHandshake {
  readonly socket: Duplex;
  private readonly all: Set<PendingHandshake>;
  private onOver: (() => void) | undefined = undefined;

  /** @param server undefined if unknown: `drain` then cannot wait for this handshake */
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
