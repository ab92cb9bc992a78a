/** What handshakes cost, by counting: all the way through a real server, with one header full of something. */
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { ConnectionOptions } from '../../lib/index.js';
import { KEY, RawClient } from '../support/raw-client.js';
import { type Running, serve } from '../support/server.js';
import { type Cost, Counter } from './counting.js';
import { allClosed } from './doors.js';
import { drip } from './drip.js';

export const KIB = 1024;

/** More than Node lets through by default, so that whoever raises that is safe, too. */
const MAX_HEADER_SIZE = 128 * KIB;

const GOOD: Headers = {
  Host: 'a.example',
  Upgrade: 'websocket',
  Connection: 'Upgrade',
  'Sec-WebSocket-Version': '13',
  'Sec-WebSocket-Key': KEY,
};

export type Headers = Readonly<Record<string, string | readonly string[] | undefined>>;

export interface HandshakeCost extends Cost {
  readonly status: number;
  /** The regular expressions that were run on something long. */
  readonly patternsOnHeaders: readonly string[];
}

/** Nothing that the library looks for in a header is as long. */
const LONG = 500;

export class Handshakes {
  readonly counter: Counter;
  private readonly library: typeof import('../../lib/index.js');
  private server: Running | undefined = undefined;

  private constructor(counter: Counter) {
    this.counter = counter;
    this.library = counter.load('lib/index');
  }

  /** For all tests of a spec: each gets a server, whose code is counted. */
  static use(options: ConnectionOptions = {}): Handshakes {
    const counter = new Counter();
    const handshakes = new Handshakes(counter);
    beforeEach(() => handshakes.serve(options));
    afterAll(() => counter.stop());
    return handshakes;
  }

  /**
   * The cost of one handshake, until its connection is gone.
   *
   * @param headers instead of those of a good handshake; undefined takes one away
   * @param size how many bytes are sent at a time; default all
   */
  async cost(headers: Headers, size?: number): Promise<HandshakeCost> {
    const server = this.server!;
    const lines = Object.entries({ ...GOOD, ...headers }).flatMap(([name, value = []]) =>
      [value].flat().map((one) => `${name}: ${one}\r\n`),
    );
    const bytes = Buffer.from(`GET / HTTP/1.1\r\n${lines.join('')}\r\n`, 'latin1');
    const client = await RawClient.connect(server);
    let status = 0;
    const cost = await this.counter.costOf(async () => {
      await drip(client, bytes, size ?? bytes.length);
      ({ status } = await client.response());
      client.socket.destroy();
      await allClosed(server);
    });
    const onHeaders = cost.patterns.filter(([, input]) => input.length > LONG);
    return { ...cost, status, patternsOnHeaders: onHeaders.map(([source]) => source) };
  }

  private async serve(options: ConnectionOptions): Promise<void> {
    const { upgradeListener, websocketRoute } = this.library;
    const route = websocketRoute({}, options);
    const app = (request: IncomingMessage, response: ServerResponse): void => {
      // As of an Express app that trusts its proxy.
      Reflect.set(
        request,
        'app',
        Object.assign(() => {}, { get: () => () => true }),
      );
      route(request, response);
    };
    const http = createServer({ maxHeaderSize: MAX_HEADER_SIZE }, app);
    http.on('upgrade', upgradeListener(app));
    this.server = await serve(http);
    // What is done once is none of it.
    await this.cost({});
  }
}

/** What everything else costs, and more: connecting, answering, closing. */
const CONSTANT = 5000;

/** Shows that a handshake with a header of so many characters cost no more than to look at each of them now and then. */
export function expectCheap({ steps, patternsOnHeaders }: HandshakeCost, length: number): void {
  expect(steps).toBeLessThan(16 * length + CONSTANT);
  expect(patternsOnHeaders).toEqual([]);
}

/** Shows that a handshake costs twice as much with a header that is twice as long. */
export async function expectLinear(
  handshakes: Handshakes,
  headersOf: (length: number) => Headers,
  status: number,
): Promise<void> {
  let before = Infinity;
  for (const length of [8 * KIB, 16 * KIB, 32 * KIB]) {
    const cost = await handshakes.cost(headersOf(length));
    expect(cost.status).toBe(status);
    expectCheap(cost, length);
    expect(cost.steps).toBeLessThan(2.05 * before + CONSTANT / 10);
    before = cost.steps;
  }
}
