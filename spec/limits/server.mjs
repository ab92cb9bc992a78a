/**
 * A server for the specs of this folder, in a process of its own so that what it pins is pinned by the library. Arguments: where
 * it listens, and the budget of all its connections, in bytes; a file to send; and whether to ask in each turn what is
 * counted. It listens on a Unix domain socket: what the kernel takes there for a
 * peer that does not read is fixed, some 200 KiB, and on TCP it grows to many megabytes.
 *
 *     /read/:delimiter/:how    reads, and does nothing about it
 *     /write                   writes, until nothing more is sent: what, the first message says
 *     /echo                    answers
 *     /figures                 what it holds, when what nobody has any more has been collected
 *     /state, /part            the same as it is; and after all others were cut off
 *     /pool                    uses up some of the memory that Node cuts small buffers from
 */
import { createServer } from 'node:http';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';

// Compiled code would be taken for something that a peer pins. So what is called is compiled at once, and never again.
for (const flag of ['--expose-gc', '--no-opt', '--always-sparkplug', '--no-lazy-feedback-allocation']) {
  setFlagsFromString(flag);
}
const collectGarbage = runInNewContext('gc');
const { BinaryPattern, EntireMessage, Limits, NetStruct, ReadyState, Struct, WebSocketHandler, websocketRoute } =
  await import('websocket-route');

const [, , address, budget, file, watches] = process.argv;
const limits = new Limits({ maxBufferedBytes: Number(budget) });

/** What one turn of the event loop leaves, at the most. */
let mostBuffered = 0;
/** How often `onClose` was called, by its code. */
const closes = {};
let unclosed = 0;
/** Writers for whom nothing more is sent. */
let full = 0;
let units = 0;
/** Ends the hooks that are pending. */
const pending = [];
let bytesRead = 0;
const sockets = new Set();

/** As many bytes as a unit may have. */
const SIZE = 4 * 1024 + 1;
const delimiters = {
  EntireMessage: EntireMessage,
  string: '\n',
  Buffer: Buffer.from([0]),
  number: SIZE,
  Struct: new Struct(`${SIZE}s`),
  NetStruct: new NetStruct('I$'),
  RegExp: /\n/,
  greedy: /\n+/,
  BinaryPattern: new BinaryPattern(/\0/),
  null: null,
};

function countClose(code) {
  closes[code] = (closes[code] ?? 0) + 1;
  unclosed--;
}

class Reading extends WebSocketHandler {
  onConnect({ delimiter, how }) {
    unclosed++;
    this.readDelimiter = delimiters[delimiter];
    this.how = how;
    if (how === 'match') this.regexSearch = false;
    if (how === 'messages') this.reader = this.messages();
    if (how === 'asked') {
      this.reader = this.messages();
      void this.reader.next();
    }
  }

  onRead() {
    units++;
    return this.how === 'pending' ? new Promise((resolve) => pending.push(resolve)) : undefined;
  }

  onOverflowError() {
    this.close(1009);
  }

  onClose(code) {
    countClose(code);
  }
}

/** Large enough to be sent from where it is: it costs nobody anything. */
const SHARED = Buffer.alloc(9 * 1024);
const SENTENCE = 'What is written to a peer that does not read waits for it. ';

/** What is written each turn. */
const writes = {
  letter: (handler) => handler.write('x'),
  sentence: (handler) => handler.write(SENTENCE),
  page: (handler) => handler.write(SENTENCE.repeat(100)),
  ping: (handler) => handler.ping(SENTENCE),
  // Larger ones are not copied, and belong to whoever wrote them.
  bytes: (handler) => handler.write(Buffer.alloc(20_000)),
  'letter, flushed': (handler) => handler.write('x', { flush: true }),
};

class Writing extends WebSocketHandler {
  onConnect() {
    unclosed++;
  }

  async onRead(what) {
    if (what === 'file') {
      void this.writeFile(file).catch(() => {});
      while (this.bufferedAmount === 0) await nextTurn();
      full++;
    } else void this.flood(writes[what]);
  }

  async flood(write) {
    // The kernel has its share first.
    while (this.bufferedAmount === 0 && this.readyState === ReadyState.OPEN) {
      this.write(SHARED, { compress: false });
      await nextTurn();
    }
    // A ping cannot be dropped: so many of them are as good as none.
    for (let turn = 0; this.dropped === 0 && this.readyState === ReadyState.OPEN && turn < 20_000; turn++) {
      write(this);
      await nextTurn();
    }
    full++;
  }

  onClose(code) {
    countClose(code);
  }
}

const options = { limits, pingInterval: 0, closeTimeout: 60_000 };
const read = { ...options, bufferSize: SIZE };
const write = { ...options, highWaterMark: 4 * 1024, maxBufferedAmount: 16 * 1024, slowConsumer: 'drop' };
const keep = { serverNoContextTakeover: false, clientNoContextTakeover: false };
const echo = {
  onRead(data) {
    this.write(data);
  },
};
const routes = [
  websocketRoute('/read/:delimiter/:how', Reading, { ...read, compress: true }),
  websocketRoute('/large/:delimiter/:how', Reading, { ...read, bufferSize: 1024 * 1024, compress: true }),
  websocketRoute('/busy/:delimiter/:how', Reading, { ...read, pingInterval: 200, pongTimeout: 60_000 }),
  websocketRoute('/keep/:delimiter/:how', Reading, { ...read, compress: keep }),
  websocketRoute('/write', Writing, { ...write, compress: { threshold: 0 } }),
  websocketRoute('/write/large', Writing, { ...write, maxBufferedAmount: 1024 * 1024 }),
  websocketRoute('/write/close', Writing, { ...write, slowConsumer: 'close' }),
  websocketRoute('/echo', echo, write),
];

async function collect() {
  for (let i = 0; i < 2; i++) {
    await nextTurn();
    collectGarbage();
  }
}

/** @param asks whether to ask what is counted, which is then counted anew */
function figures(asks) {
  const { heapUsed, external } = process.memoryUsage();
  let total = bytesRead;
  for (const socket of sockets) total += socket.bytesRead;
  const { evicted } = limits;
  const bufferedBytes = asks ? limits.bufferedBytes : undefined;
  // Node's `external` has what it calls `arrayBuffers` in it.
  const memory = heapUsed + external;
  return {
    memory,
    bytesRead: total,
    bufferedBytes,
    mostBuffered,
    evicted,
    closes,
    full,
    units,
    open: sockets.size,
    unclosed,
  };
}

const server = createServer((request, response) => {
  if (request.url === '/part') for (const socket of sockets) if (socket !== request.socket) socket.destroy();
  // Handlers whose connections have gone may finish.
  if (sockets.size === 1) for (const settle of pending.splice(0)) settle();
  // Small buffers that nobody keeps, as any application has.
  if (request.url === '/pool') for (let i = 0; i < 4; i++) Buffer.from('x'.repeat(3000));
  if (['/pool', '/state', '/figures', '/part'].includes(request.url)) {
    const asks = request.url === '/figures';
    const ready = asks ? collect() : nextTurn();
    ready.then(() => response.end(JSON.stringify(figures(asks))));
    return;
  }
  const tryNext = (index) => routes[index](request, response, () => tryNext(index + 1));
  tryNext(0);
});
server.on('connection', (socket) => {
  sockets.add(socket);
  socket.once('close', () => {
    sockets.delete(socket);
    bytesRead += socket.bytesRead;
  });
});
/** As the budget of a process is looked at when a turn is over: then. */
const watch = () => {
  mostBuffered = Math.max(mostBuffered, limits.bufferedBytes);
  setImmediate(watch);
};
if (watches === 'true') watch();
server.listen(address, () => console.log('listening'));
