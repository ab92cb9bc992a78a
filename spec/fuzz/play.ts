/** A whole connection in memory: what its hooks are told and what its client gets for the bytes that it sends. */
import { createServer } from 'node:http';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { isDeepStrictEqual } from 'node:util';
import type { OverflowError } from '../../lib/errors.js';
import { acceptWebSocket, type ConnectionOptions, WebSocketHandler } from '../../lib/index.js';
import { FrameReader } from '../../lib/testing/frames.js';
import { memorySocket } from '../../lib/testing/index.js';
import { KEY } from '../support/raw-client.js';

export interface Setup {
  options: ConnectionOptions;
  /** Out of so many units one takes until the next turn of the event loop; 0: none does. */
  slowEvery: number;
}

export interface Played {
  /** What came to `onRead`. Pieces of a stream are joined. */
  units: unknown[];
  /** What the answers to pings carried. */
  pongs: string[];
  overflows: number;
  /** The code of the server's close frame; undefined: it had none. */
  code: number | undefined;
  /** What came with it. */
  reason: string;
  /** The arguments of `onClose`. */
  closed: readonly [code: number, reason: string, wasClean: boolean];
}

/** What a request is for, by its target; for all the same server, since each would have a timer of its own. */
const plans = new Map<string, readonly [handler: new () => WebSocketHandler, options: ConnectionOptions]>();
let requests = 0;
const server = createServer((request, response) => {
  const [handler, options] = plans.get(request.url ?? '') ?? [];
  if (handler !== undefined) acceptWebSocket(request, response, handler, options);
});

const HEADERS = [
  'Host: localhost',
  'Upgrade: websocket',
  'Connection: Upgrade',
  'Sec-WebSocket-Version: 13',
  `Sec-WebSocket-Key: ${KEY}`,
  'Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits',
];

/** Sends the chunks and FIN. Settled when the connection has gone and its handler is done. */
export async function play({ options, slowEvery }: Setup, chunks: readonly Buffer[]): Promise<Played> {
  const units: unknown[] = [];
  let overflows = 0;
  let count = 0;
  let over: (closed: Played['closed']) => void;
  const closed = new Promise<Played['closed']>((resolve) => {
    over = resolve;
  });
  class Recording extends WebSocketHandler {
    override onRead(...values: readonly unknown[]): unknown {
      if (this.readDelimiter === null) join(units, values[0]);
      else units.push(values.map(plain));
      count++;
      return slowEvery > 0 && count % slowEvery === 0 ? nextTurn() : undefined;
    }
    override onOverflowError(_error: OverflowError): void {
      overflows++;
    }
    override onClose(...args: [code: number, reason: string, wasClean: boolean]): void {
      over(args);
    }
    override onError(error: unknown): never {
      throw error;
    }
  }
  const target = `/${requests++}`;
  plans.set(target, [Recording, { pingInterval: 0, ...options }]);
  const socket = memorySocket(server);
  const answered = new Promise<Buffer>((resolve) => socket.once('data', resolve));
  socket.on('error', () => {});
  socket.write(`GET ${target} HTTP/1.1\r\n${HEADERS.join('\r\n')}\r\n\r\n`);
  const head = String(await answered);
  plans.delete(target);
  if (!head.startsWith('HTTP/1.1 101 ') || !head.endsWith('\r\n\r\n')) throw new Error(head);
  const reader = new FrameReader();
  const frames: ReturnType<FrameReader['feed']> = [];
  socket.on('data', (chunk: Buffer) => frames.push(...reader.feed(chunk)));
  const gone = new Promise((resolve) => socket.once('close', resolve));
  for (const chunk of chunks) {
    if (!socket.writable) break;
    socket.write(chunk);
  }
  if (socket.writable) socket.end();
  const [[told, why, wasClean]] = await Promise.all([closed, gone]);
  const close = frames.at(-1)?.opcode === 8 ? frames.pop()?.payload : undefined;
  if (!frames.every(({ opcode, fin, rsv, masked }) => opcode === 10 && fin && rsv === 0 && !masked)) {
    throw new Error(`not only pongs: ${JSON.stringify(frames)}`);
  }
  return {
    units,
    pongs: frames.map(({ payload }) => payload.toString('hex')),
    overflows,
    code: close && (close.length === 0 ? 1005 : close.readUInt16BE(0)),
    reason: withoutNumbers(close?.toString('utf8', 2) ?? ''),
    closed: [told, withoutNumbers(why), wasClean],
  };
}

/** Whether one list is the beginning of the other: the last piece of a stream may be the beginning of the other's. */
export function isBeginning(one: readonly unknown[], other: readonly unknown[]): boolean {
  const [short, long] = one.length <= other.length ? [one, other] : [other, one];
  if (short.length === 0) return true;
  const last = short.at(-1);
  const same = long[short.length - 1];
  if (!isDeepStrictEqual(short.slice(0, -1), long.slice(0, short.length - 1))) return false;
  if (typeof last !== 'string' || typeof same !== 'string') return isDeepStrictEqual(last, same);
  return same.startsWith(last) || last.startsWith(same);
}

function join(units: unknown[], unit: unknown): void {
  const [kind, text] = Buffer.isBuffer(unit) ? ['binary', unit.toString('hex')] : ['text', String(unit)];
  const last = units.at(-1);
  if (typeof last === 'string' && last.startsWith(kind)) units[units.length - 1] = last + text;
  else units.push(`${kind} ${text}`);
}

/** How much was too much depends on how much came at a time; and the longest reasons are cut. */
function withoutNumbers(reason: string): string {
  return reason.replaceAll(/[0-9]+/g, '#').slice(0, 50);
}

function plain(value: unknown): unknown {
  return Buffer.isBuffer(value) ? `0x${value.toString('hex')}` : typeof value === 'bigint' ? String(value) : value;
}
