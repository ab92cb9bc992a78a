/** Dispatchers to be tried: messages, delimiters (each set in the `onRead` before it) and limits, and what is delivered of these. */
import fc from 'fast-check';
import { BinaryPattern, type Delimiter, EntireMessage } from '../../lib/dispatch/delimiter.js';
import { Dispatcher } from '../../lib/dispatch/dispatcher.js';
import type { UnitConsumer } from '../../lib/dispatch/unit-delivery.js';
import { ProtocolError } from '../../lib/errors.js';
import { FrameParser } from '../../lib/framing/frame-parser.js';
import { NetStruct } from '../../lib/struct/net-struct.js';
import { Struct } from '../../lib/struct/struct.js';
import { type Give, lent } from '../framing/recording-sink.js';

export interface Scenario {
  opcode: 1 | 2;
  messages: Buffer[];
  delimiters: Delimiter[];
  regexSearch: boolean;
  bufferSize: number;
  maxDelimiterLength: number;
  onOverflow: 'nothing' | 'raise' | 'close';
}

/** Runs the engine over the chunks, in memory that is lent as that of sockets is; every `pauseEvery`th unit takes until the chunk has been fed. */
export function play(scenario: Scenario, chunks: readonly Buffer[], pauseEvery = 0, give: Give = lent): unknown[] {
  const events: unknown[] = [];
  let units = 0;
  let pending = false;
  let over = false;
  const delivered = (...values: readonly unknown[]): void => {
    events.push(values.map(plain));
    units++;
    const next = scenario.delimiters[units];
    if (next !== undefined && !over) dispatcher.readDelimiter = next;
    if (pauseEvery === 0 || units % pauseEvery !== 0) return;
    pending = true;
    parser.pause();
    dispatcher.pause();
  };
  const consumer: UnitConsumer = {
    onUnit: (value) => delivered(value),
    onUnits: (values) => delivered(...values),
    onValues4: (count, ...values) => delivered(...values.slice(0, count)),
    onOverflow() {
      // Once per arrival: a unit that is still too long for another reason overflows again, or fails at once.
      if (events.at(-1) !== 'overflow') events.push('overflow');
      if (scenario.onOverflow === 'raise') dispatcher.bufferSize = 1 << 20;
      if (scenario.onOverflow === 'close') dispatcher.discard();
    },
    onStale() {},
  };
  const { bufferSize, maxDelimiterLength, regexSearch } = scenario;
  const readDelimiter = scenario.delimiters[0] ?? EntireMessage;
  const dispatcher = new Dispatcher({ readDelimiter, regexSearch, bufferSize, maxDelimiterLength }, consumer);
  const parser = new FrameParser(dispatcher, { ping() {}, pong() {}, closed() {} });
  const settle = (): void => {
    while (pending) {
      pending = false;
      dispatcher.resume();
      if (!pending) parser.resume();
    }
  };
  try {
    for (const chunk of chunks) {
      parser.feed(give(chunk));
      settle();
    }
    // What is left shows itself, too.
    over = true;
    dispatcher.readDelimiter = null;
    dispatcher.dispatchHeld();
  } catch (error) {
    if (!(error instanceof ProtocolError)) throw error;
    events.push(error.closeCode);
  }
  return events;
}

function plain(value: unknown): unknown {
  if (Buffer.isBuffer(value)) return value.toString('hex');
  if (Array.isArray(value)) return Array.from(value, plain);
  return typeof value === 'bigint' ? String(value) : value;
}

const textMessage = fc
  .array(fc.constantFrom('a', 'b', 'ab', '\n', '\r\n', 'é', '日', '🎈', ',', ';', ' ', '  ', 'q', 'x', 'xx'), {
    maxLength: 12,
  })
  .map((parts) => Buffer.from(parts.join('')));
const textDelimiter = fc.constantFrom<Delimiter>(
  EntireMessage,
  ...['\n', '\r\n', 'ab', 'é', '🎈', 3, 1, 7],
  ...[/[,;]/, /\s+/, /^a+|b/, /(?<=a)b/, /x*/, /\bq/, /./, /\r?\n/, /a(?=b)|;$/, /🎈|é(?!日)/u],
);
const binaryMessage = fc
  .array(fc.constantFrom(0, 1, 2, 3, 10, 10, 65, 200, 255), { maxLength: 16 })
  .map((bytes) => Buffer.from(bytes));
const binaryDelimiter = fc.constantFrom<Delimiter>(
  EntireMessage,
  ...[Buffer.from('\n'), Buffer.from([0, 1]), 3, 1, 5],
  ...[new Struct('!H'), new Struct('<IB'), new NetStruct('B$'), new NetStruct('H$B')],
  ...[new BinaryPattern(/\n+/), new BinaryPattern(/[A-C\xc8]{2}/)],
);

function scenarioOf(opcode: 1 | 2, message: fc.Arbitrary<Buffer>, delimiter: fc.Arbitrary<Delimiter>) {
  return fc.record<Scenario>({
    opcode: fc.constant(opcode),
    messages: fc.array(message, { minLength: 1, maxLength: 6 }),
    delimiters: fc.array(delimiter, { minLength: 1, maxLength: 5 }),
    regexSearch: fc.boolean(),
    bufferSize: fc.constantFrom(4, 8, 16, 65536),
    maxDelimiterLength: fc.constantFrom(1, 2, 1024),
    onOverflow: fc.constantFrom('nothing', 'raise', 'close'),
  });
}

export const textScenario = scenarioOf(1, textMessage, textDelimiter);
export const binaryScenario = scenarioOf(2, binaryMessage, binaryDelimiter);
