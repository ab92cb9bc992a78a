/**
 * A server for `spec/faults/handover.slow.spec.ts`: writes every message into a file, then acknowledges it. Arguments: the file, and
 * the style, `onRead` or `messages`. It says where it listens, and when it begins to drain.
 */
import { subscribe } from 'node:diagnostics_channel';
import { appendFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import { setTimeout as later } from 'node:timers/promises';
import { drainOnSignal, WebSocketHandler, websocketRoute } from 'websocket-route';

const [file, style] = process.argv.slice(2);

class Ledger extends WebSocketHandler {
  async onConnect() {
    if (style === 'messages') for await (const entry of this.messages()) await this.record(entry);
  }

  onRead(entry) {
    return this.record(entry);
  }

  async record(entry) {
    await later(Math.random() * 8);
    await appendFile(file, `${entry}\n`);
    this.write(entry);
  }
}

subscribe('websocket-route:drain', ({ phase }) => console.log(phase));
// The spec has a client that takes its time over the goodbye.
const server = createServer(websocketRoute('/ledger', Ledger, { closeTimeout: 20_000 }));
drainOnSignal(server, ['SIGTERM'], { timeout: 20_000, jitter: 200 });
server.listen(0, '127.0.0.1', () => console.log(server.address().port));
