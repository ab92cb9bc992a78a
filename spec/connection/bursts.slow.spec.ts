/**
 * Whatever is written while a peer reads in bursts arrives once, in order and whole, however the connection ends: text, bytes,
 * large ones, pings, files, compressed messages; flushed or not. Meanwhile what waits is counted exactly.
 */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { constants, inflateRawSync } from 'node:zlib';
import fc from 'fast-check';
import { Opcode } from '../../lib/framing/opcode.js';
import { headerLength } from '../../lib/framing/serializer.js';
import { InvalidStateError, ReadyState, type WebSocketHandler } from '../../lib/index.js';
import { Slab } from '../../lib/memory/slab.js';
import { unsentBytes } from '../../lib/transport/node-internals.js';
import { closeBody, frame, type ServerFrame } from '../support/frames.js';
import { turns } from './open.js';
import { allFrames, type Slow, serveSlow } from './slow.js';

const folder = mkdtempSync(join(tmpdir(), 'websocket-route-'));
const FILES = { small: Buffer.from('FILE'), large: Buffer.alloc(300_000, 'file') };
for (const [name, content] of Object.entries(FILES)) writeFileSync(join(folder, name), content);
afterAll(() => rmSync(folder, { recursive: true }));

type Act =
  | { act: 'write'; kind: 'text' | 'binary'; size: number; flush: boolean; compress: boolean }
  | { act: 'ping' }
  | { act: 'flush' }
  | { act: 'drained' }
  | { act: 'file'; name: keyof typeof FILES; flush: boolean }
  | { act: 'wait'; turns: number }
  | { act: 'read'; turns: number };

/** Around every bound that there is: of header lengths, of what is copied, of a piece. */
const EDGES = [0, 1, 125, 126, 127, 1000, 1020, 8191, 8192, 8193, 65_520, 65_535, 65_536, 200_000];
const size = fc.oneof(fc.nat(300), fc.nat(20_000), fc.constantFrom(...EDGES));
const write: fc.Arbitrary<Act> = fc.record({
  act: fc.constant('write' as const),
  kind: fc.constantFrom('text' as const, 'binary' as const),
  size,
  flush: fc.boolean(),
  compress: fc.boolean(),
});
const others: fc.Arbitrary<Act>[] = [
  fc.record({ act: fc.constantFrom('ping' as const, 'flush' as const, 'drained' as const) }),
  fc.record({ act: fc.constantFrom('wait' as const, 'read' as const), turns: fc.integer({ min: 1, max: 4 }) }),
];
const file: fc.Arbitrary<Act> = fc.record({
  act: fc.constant('file' as const),
  name: fc.constantFrom('small' as const, 'large' as const),
  flush: fc.boolean(),
});
const withFiles = fc.array(fc.oneof({ weight: 6, arbitrary: write }, ...others, file), { size: 'max', maxLength: 60 });
const withoutFiles = fc.array(fc.oneof({ weight: 6, arbitrary: write }, ...others), { size: 'max', maxLength: 60 });

/** Which message it is can be seen all over it. */
function content(which: number, length: number): string {
  const pattern = `${which}é`.padEnd(11, 'abcdefgh');
  return pattern.repeat(Math.ceil(length / pattern.length)).slice(0, length);
}

/** What is done to one connection, and what its client is to get for it. */
class Run {
  readonly expected: [opcode: number, payload: Buffer][] = [];
  private readonly drained: Promise<void>[] = [];
  private written = 0;
  private readonly before: number;
  private readonly slow: Slow;

  constructor(slow: Slow) {
    this.slow = slow;
    this.before = slow.socket.bytesWritten;
    slow.client.socket.pause();
  }

  async play(acts: readonly Act[]): Promise<void> {
    const { client, handler } = this.slow;
    for (const act of acts) {
      if (act.act === 'write') this.write(handler, act);
      else if (act.act === 'file') {
        this.expected.push([Opcode.Binary, FILES[act.name]]);
        handler.writeFile(join(folder, act.name), { flush: act.flush }).catch(() => {});
      } else if (act.act === 'ping') {
        handler.ping(`${this.expected.length}`);
        this.expect(Opcode.Ping, Buffer.from(`${this.expected.length}`));
      } else if (act.act === 'flush') handler.flush();
      else if (act.act === 'drained') this.watch(this.allTaken());
      else {
        if (act.act === 'read') client.socket.resume();
        await turns(act.turns);
        client.socket.pause();
      }
      this.check();
    }
  }

  /** Each `drained()` has been fulfilled; or, where the connection was cut, rejected. */
  async settled(isCut: boolean): Promise<void> {
    for (const result of await Promise.allSettled(this.drained)) {
      if (result.status === 'fulfilled') continue;
      expect(result.reason).toBeInstanceOf(InvalidStateError);
      expect(isCut).toBe(true);
    }
  }

  private watch(drained: Promise<void>): void {
    // Looked at later, when all of them are.
    drained.catch(() => {});
    this.drained.push(drained);
  }

  private write(handler: WebSocketHandler, { kind, size, flush, compress }: Act & { act: 'write' }): void {
    const text = content(this.expected.length, size);
    const payload = Buffer.from(text);
    if (kind === 'text') handler.write(text, { flush, compress });
    else handler.write(payload, { flush, compress });
    this.expect(kind === 'text' ? Opcode.Text : Opcode.Binary, payload);
  }

  private expect(opcode: number, payload: Buffer): void {
    this.expected.push([opcode, payload]);
    this.written += headerLength(payload.length) + payload.length;
  }

  /** What was written before has been taken when `drained` says so. */
  private async allTaken(): Promise<void> {
    const { handler } = this.slow;
    const { written } = this;
    await handler.drained();
    if (this.isExact) expect(this.taken).toBeGreaterThanOrEqual(written);
    else if (this.written === written && !this.hasFiles) expect(handler.bufferedAmount).toBe(0);
  }

  private check(): void {
    const { handler } = this.slow;
    if (this.isExact) expect(handler.bufferedAmount).toBe(this.written - this.taken);
    else expect(handler.bufferedAmount).toBeGreaterThanOrEqual(0);
  }

  /**
   * Neither files nor messages that are compressed: of these nobody knows beforehand what counts at a moment; and they are given
   * to the socket as they get ready, also where that is behind.
   */
  get isExact(): boolean {
    return !this.hasFiles && this.slow.handler.extensions === '';
  }

  private get hasFiles(): boolean {
    return this.expected.some(([, payload]) => payload === FILES.small || payload === FILES.large);
  }

  private get taken(): number {
    const { socket } = this.slow;
    return socket.bytesWritten - this.before - unsentBytes(socket);
  }
}

/** How it ends: each lets the client have all that was written before. */
const ENDS = {
  'the server closes': ({ handler, client }: Slow) => {
    handler.close();
    client.send(frame({ opcode: 8, payload: closeBody(1000) }));
  },
  'the client closes': ({ client }: Slow) => client.send(frame({ opcode: 8, payload: closeBody(1000) })),
  'both close': ({ handler, client }: Slow) => {
    client.send(frame({ opcode: 8, payload: closeBody(1000) }));
    handler.close();
  },
  'the client closes, and ends TCP': ({ client }: Slow) => {
    client.send(frame({ opcode: 8, payload: closeBody(1000) }));
    client.socket.end();
  },
  'the server closes, and the client ends TCP': ({ handler, client }: Slow) => {
    handler.close();
    client.send(frame({ opcode: 8, payload: closeBody(1000) }));
    client.socket.end();
  },
} as const;

/** And these too, but for files. */
const FAILURES = {
  'the client makes a mistake': ({ client }: Slow) => client.send(frame({ opcode: 3 })),
  'the client ends TCP without a word': ({ client }: Slow) => void client.socket.end(),
} as const;

/** Nothing more can be said of what arrives. */
const CUTS = {
  'the server terminates it': ({ handler }: Slow) => handler.terminate(),
  'the client vanishes': ({ client }: Slow) => void client.socket.destroy(),
  'the client vanishes while the server closes': ({ client, handler }: Slow) => {
    handler.close();
    setImmediate(() => client.socket.destroy());
  },
  'the client makes a mistake, and vanishes': ({ client }: Slow) => {
    client.send(frame({ opcode: 3 }));
    client.socket.end();
    setImmediate(() => client.socket.destroy());
  },
} as const;

/** How many use each slab, seen from outside: never fewer than none. */
const users = new Map<Slab, number>();
const { acquire, release } = Slab.prototype;
Slab.prototype.acquire = function () {
  users.set(this, (users.get(this) ?? 0) + 1);
  acquire.call(this);
};
Slab.prototype.release = function () {
  const left = (users.get(this) ?? 0) - 1;
  if (left < 0) throw new Error('a slab was released more often than acquired');
  if (left === 0) users.delete(this);
  else users.set(this, left);
  release.call(this);
};
afterEach(() => {
  expect(users.size).toBe(0);
});

/** Which message came, inflated if need be. */
function readable({ opcode, fin, rsv, masked, payload }: ServerFrame): [opcode: number, payload: Buffer] {
  expect([fin, masked, rsv & 3]).toEqual([true, false, 0]);
  if (rsv === 0) return [opcode, payload];
  const deflated = Buffer.concat([payload, Buffer.from([0, 0, 0xff, 0xff])]);
  return [opcode, inflateRawSync(deflated, { finishFlush: constants.Z_SYNC_FLUSH })];
}

async function expectAll(slow: Slow, run: Run, hasClose: boolean): Promise<void> {
  const frames = await allFrames(slow.client);
  const came = frames.map(readable);
  if (hasClose) expect(came.pop()?.[0]).toBe(Opcode.Close);
  const differs = run.expected.findIndex(
    ([opcode, payload], i) => came[i]?.[0] !== opcode || came[i]?.[1].equals(payload) !== true,
  );
  if (differs !== -1) {
    const [opcode, payload] = came[differs] ?? [];
    const wanted = run.expected[differs]!;
    const brief = (bytes?: Buffer): string => `${bytes?.length} bytes ${bytes?.toString('utf8', 0, 40)}`;
    throw new Error(
      `frame ${differs}: opcode ${opcode} of ${brief(payload)}, and not ${wanted[0]} of ${brief(wanted[1])}`,
    );
  }
  expect(came).toHaveLength(run.expected.length);
}

const seed = 20261128;

describe.each([
  ['a socket', { tls: false, compress: false }],
  ['TLS', { tls: true, compress: false }],
  ['a socket, compressed', { tls: false, compress: true }],
  ['TLS, compressed', { tls: true, compress: true }],
])('over %s', (_name, { tls, compress }) => {
  const headers: Record<string, string> = compress ? { 'Sec-WebSocket-Extensions': 'permessage-deflate' } : {};
  const options = compress ? { compress: { threshold: 100 } } : {};

  async function property(
    acts: fc.Arbitrary<Act[]>,
    ends: Record<string, (slow: Slow) => void>,
    then: (slow: Slow, run: Run, how: string) => Promise<void>,
  ): Promise<void> {
    const { open } = await serveSlow({}, options, { tls });
    const how = fc.constantFrom(...Object.keys(ends));
    const tried = fc.asyncProperty(acts, how, async (acts, how) => {
      const slow = await open(headers);
      const run = new Run(slow);
      await run.play(acts);
      const { log } = slow;
      if (run.isExact) expect(log.givenWhileBehind).toBe(0);
      ends[how]!(slow);
      await then(slow, run, how);
      slow.client.socket.end();
      await slow.closes.next();
      await run.settled(how in CUTS);
      expect(slow.handler.readyState).toBe(ReadyState.CLOSED);
      expect(slow.handler.bufferedAmount).toBe(0);
      expect(log.afterEnd).toBe(0);
      expect(log.errors.filter((error) => String(error).includes('after end'))).toEqual([]);
    });
    await fc.assert(tried, { seed, numRuns: 40, timeout: 10_000, endOnFailure: true });
  }

  it('all arrives in order, then the close frame and FIN, once', async () => {
    await property(withFiles, ENDS, async (slow, run) => {
      await expectAll(slow, run, true);
      expect(slow.log.ends).toBe(1);
    });
  });

  it('all arrives, too, where the connection fails', async () => {
    await property(withoutFiles, FAILURES, async (slow, run, how) => {
      await expectAll(slow, run, how === 'the client makes a mistake');
      expect(slow.log.ends).toBe(1);
    });
  });

  it('nothing is written to a connection that is cut', async () => {
    await property(withFiles, CUTS, async (slow, run) => {
      slow.client.socket.resume();
      await slow.client.ended;
      await run.settled(true);
      expect(slow.log.ends).toBeLessThanOrEqual(1);
    });
  });
});
