/** Every case of `spec/vectors/delimiters.json`, through a connection in memory, whole and cut in every way that must not matter. */
import {
  type Delimiter,
  EntireMessage,
  NetStruct,
  Struct,
  toInteger,
  WebSocketHandler,
  websocketRoute,
} from '../../lib/index.js';
import { AsyncQueue } from '../../lib/testing/async-queue.js';
import { connect } from '../../lib/testing/index.js';
import { binary, frame, more, text } from '../support/frames.js';
import { fromTagged, loadVectors, type Tagged, toTagged } from '../support/vectors.js';

type TaggedDelimiter = [kind: string, value: string | number | null];
type Event = ['read', ...Tagged[]] | ['overflow'] | ['close', number];

interface Case {
  kind: string;
  delimiter: TaggedDelimiter;
  bufferSize: number;
  then: TaggedDelimiter[];
  messages: ({ text: string } | { bytes: string })[];
  events: Event[];
  left: number;
}

const cases = loadVectors<Case>('delimiters');

function setDelimiter(handler: WebSocketHandler, [kind, value]: TaggedDelimiter): void {
  handler.regexSearch = kind !== 'match';
  handler.readDelimiter = delimiterOf(kind, String(value));
}

function delimiterOf(kind: string, value: string): Delimiter {
  switch (kind) {
    case 'entire':
      return EntireMessage;
    case 'none':
      return null;
    case 'bytes':
      return Buffer.from(value, 'hex');
    case 'count':
      return Number(value);
    case 'search':
    case 'match':
      return new RegExp(value);
    case 'struct':
      return new Struct(value);
    case 'netstruct':
      return new NetStruct(value);
    default:
      return value;
  }
}

class Recorder extends WebSocketHandler {
  static readonly opened = new AsyncQueue<Recorder>();
  events: unknown[][] = [];
  left = 0;
  private draining = false;
  private expected: Case | undefined;
  private following: TaggedDelimiter[] = [];

  override onConnect({ index }: { index: number }): void {
    this.expected = cases[index]!;
    this.following = [...this.expected.then];
    this.bufferSize = this.expected.bufferSize;
    setDelimiter(this, this.expected.delimiter);
    Recorder.opened.push(this);
  }

  override onRead(...data: unknown[]): void {
    if (this.draining) {
      this.left += typeof data[0] === 'string' ? [...data[0]].length : Buffer.from(data[0] as Buffer).length;
      return;
    }
    this.events.push(['read', ...data]);
    const next = this.following.shift();
    if (next) setDelimiter(this, next);
  }

  override onOverflowError(): void {
    this.events.push(['overflow']);
  }

  /** Counts what was not delivered, by having it delivered. */
  async drain(): Promise<number> {
    this.draining = true;
    this.readDelimiter = null;
    await Promise.resolve();
    return this.left;
  }
}

type Cut = (message: Case['messages'][number]) => Buffer;

/** One frame a message. */
const inOneFrame: Cut = (message) =>
  'text' in message ? text(message.text) : binary(Buffer.from(message.bytes, 'hex'));

/** One frame a character (a byte, for binary data), with an empty frame at the end. */
const inOneFrameACharacter: Cut = (message) => {
  const parts = 'text' in message ? [...message.text].map((one) => Buffer.from(one)) : split(message.bytes);
  const opcode = 'text' in message ? 1 : 2;
  const [first = Buffer.alloc(0), ...rest] = parts;
  return Buffer.concat([
    frame({ opcode, payload: first, fin: false }),
    ...rest.map((part) => more(part)),
    more('', true),
  ]);
};

function split(hex: string): Buffer[] {
  return [...Buffer.from(hex, 'hex')].map((byte) => Buffer.from([byte]));
}

/** Adjacent reads of one kind joined: under `null`, what arrives together is up to the network. */
function joined(events: unknown[][]): unknown[][] {
  const result: unknown[][] = [];
  for (const [name, data] of events) {
    const last = result.at(-1);
    if (typeof data === 'string' && typeof last?.[1] === 'string') last[1] += data;
    else if (Buffer.isBuffer(data) && Buffer.isBuffer(last?.[1])) last[1] = Buffer.concat([last[1], data]);
    else result.push([name, data]);
  }
  return result;
}

function untagged(events: Event[]): unknown[][] {
  return events.map(([name, ...data]) => [
    name,
    ...data.map((value) => (typeof value === 'object' ? fromTagged(value) : value)),
  ]);
}

/** In the tagged form of the expectation, so that 64-bit integers and floats compare exactly. */
function tagged(events: unknown[][], one: Case): unknown[][] {
  return events.map(([name, ...data], i) => [
    name,
    ...data.map((value, j) => {
      const like = one.events[i]?.[j + 1];
      return typeof like === 'object' ? toTagged(value, like) : value;
    }),
  ]);
}

async function play(index: number, cut: Cut, segment: number): Promise<void> {
  const one = cases[index]!;
  const client = await connect(app, `/case/${index}`);
  const handler = await Recorder.opened.next();
  const close = one.events.find((event) => event[0] === 'close');
  const bytes = Buffer.concat([...one.messages.map(cut), frame({ opcode: 9, payload: 'done' })]);
  const size = segment || bytes.length;
  for (let at = 0; at < bytes.length; at += size) client.sendRaw(bytes.subarray(at, at + size));
  const { opcode, payload } = await client.nextFrame();
  if (close === undefined) expect([opcode, payload.toString()]).toEqual([10, 'done']);
  else expect([opcode, payload.readUInt16BE(0)]).toEqual([8, close[1]]);
  const expected = one.events.filter((event) => event[0] !== 'close');
  if (one.kind === 'none') expect(joined(handler.events)).toEqual(joined(untagged(expected)));
  else expect(tagged(handler.events, one)).toEqual(expected);
  expect(await handler.drain()).toBe(one.left);
  client.terminate();
}

const app = websocketRoute('/case/:index', Recorder, { convert: { index: toInteger } });

// In memory each piece that is sent arrives as it is, in a turn of its own: TCP would join most of them.
describe('delimiters, as Pants dispatches them', () => {
  describe.each([
    ['in one piece', inOneFrame, 0],
    ['in single bytes', inOneFrame, 1],
    ['in one frame a character', inOneFrameACharacter, 0],
    ['in one frame a character, in single bytes', inOneFrameACharacter, 1],
  ] as const)('%s', (_name, cut, segment) => {
    it.each(cases.map((one, index) => [index, one.kind, JSON.stringify(one.delimiter)] as const))(
      'case %i: %s %s',
      (index) => play(index, cut, segment),
    );
  });
});
