/**
 * The server of `soak.mjs`, in a process of its own so that its memory is nobody else's. Argument: the options of compression.
 * It answers each message with the same message, and says what memory it has when it is asked.
 */
import { createServer } from 'node:http';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { Limits, WebSocketHandler, websocketRoute } from '../../dist/index.js';

const compress = JSON.parse(process.argv[2]);
const limits = new Limits({ maxBufferedBytes: 2 ** 30 });

class Echo extends WebSocketHandler {
  onRead(data) {
    this.write(data);
  }
}

async function memory() {
  for (let i = 0; i < 5; i++) {
    await nextTurn();
    gc();
  }
  return { ...process.memoryUsage(), bufferedBytes: limits.bufferedBytes };
}

const server = createServer(websocketRoute(Echo, { compress, limits }));
server.listen(0, '127.0.0.1', () => process.send({ port: server.address().port }));
process.on('message', async () => process.send(await memory()));
process.on('disconnect', () => process.exit());
