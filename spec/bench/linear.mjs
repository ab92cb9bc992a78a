/**
 * What a byte costs in the engine (parser and dispatcher, without a socket), for each kind of delimiter: when one message of
 * so many bytes comes a byte at a time, in pieces of 16 KiB, and in frames of one byte. A row that is flat is linear.
 *
 *     npm run bench:linear
 */
import { cpus } from 'node:os';
import { Dispatcher } from '../../dist/dispatch/dispatcher.js';
import { FrameParser } from '../../dist/framing/frame-parser.js';
import { BinaryPattern, EntireMessage, NetStruct, Struct } from '../../dist/index.js';

const SIZES = [256, 512, 1024].map((kib) => kib * 1024);
const PIECE = 16 * 1024;
const ROUNDS = 6;

const lines = (size) => Buffer.alloc(size, 'a line of thirty-two characters\n');
const never = (size) => Buffer.alloc(size, 'x');
const records = (size) => Buffer.alloc(size, Buffer.concat([Buffer.from([0, 0, 0, 28]), Buffer.alloc(28, 'x')]));

const TEXT = 1;
const BINARY = 2;

/** What, its delimiter, the kind of message, its bytes, and settings. */
const ROWS = [
  ['`EntireMessage`, text', EntireMessage, TEXT, lines],
  ['`EntireMessage`, binary', EntireMessage, BINARY, lines],
  ['`null`, text', null, TEXT, lines],
  ['`null`, binary', null, BINARY, lines],
  ["`'\\n'`, lines of 32 bytes", '\n', TEXT, lines],
  ["`'\\n'`, never there", '\n', TEXT, never],
  ["`'xxy'`, nearly there at every place", 'xxy', TEXT, never],
  ['a `Buffer`, lines of 32 bytes', Buffer.from('\n'), BINARY, lines],
  ['a `Buffer`, never there', Buffer.from('\n'), BINARY, never],
  ['`32`, text', 32, TEXT, lines],
  ['`32`, binary', 32, BINARY, lines],
  ['`2 ** 30`, text', 2 ** 30, TEXT, lines],
  ['`/\\r?\\n/`, lines of 32 bytes', /\r?\n/, TEXT, lines],
  ['`/\\r?\\n/`, never there', /\r?\n/, TEXT, never],
  ['`/[^\\n]*\\n/` to match, lines of 32 bytes', /[^\n]*\n/, TEXT, lines, { regexSearch: false }],
  ['`BinaryPattern`, lines of 32 bytes', new BinaryPattern(/\n/), BINARY, lines],
  ["`Struct('!I28s')`", new Struct('!I28s'), BINARY, records],
  ["`NetStruct('!I$')`", new NetStruct('!I$'), BINARY, records],
];

const MASK = Buffer.from([1, 2, 3, 4]);

/** A masked frame of a client's. */
function frame(opcode, payload) {
  const { length } = payload;
  const header = Buffer.alloc(length < 126 ? 2 : 10);
  header[0] = 0x80 | opcode;
  header[1] = 0x80 | (length < 126 ? length : 127);
  if (length >= 126) header.writeBigUInt64BE(BigInt(length), 2);
  const masked = Buffer.from(payload);
  for (let i = 0; i < length; i++) masked[i] ^= MASK[i & 3];
  return Buffer.concat([header, MASK, masked]);
}

/** The same message in frames of one byte each, and an empty last one. */
function fragments(opcode, payload) {
  const bytes = Buffer.alloc(7 * payload.length + 6);
  let at = 0;
  for (const byte of payload) {
    bytes.set([at === 0 ? opcode : 0, 0x81, ...MASK, byte ^ MASK[0]], at);
    at += 7;
  }
  frame(0, Buffer.alloc(0)).copy(bytes, at);
  return bytes;
}

function byteAtATime(parser, bytes) {
  const chunk = Buffer.alloc(1);
  for (let at = 0; at < bytes.length; at++) {
    chunk[0] = bytes[at];
    parser.feed(chunk);
  }
}

function inPieces(parser, bytes) {
  for (let at = 0; at < bytes.length; at += PIECE) parser.feed(bytes.subarray(at, at + PIECE));
}

const WAYS = [
  ['a byte at a time', frame, byteAtATime],
  ['pieces of 16 KiB', frame, inPieces],
  ['frames of a byte', fragments, inPieces],
];

function engine(readDelimiter, settings) {
  const consumer = {
    onUnit() {},
    onUnits() {},
    onValues4() {},
    onOverflow(error) {
      throw error;
    },
    onStale() {},
  };
  const all = { regexSearch: true, bufferSize: 2 ** 30, maxDelimiterLength: 1024, ...settings, readDelimiter };
  return new FrameParser(new Dispatcher(all, consumer), { ping() {}, pong() {}, closed() {} });
}

function median(numbers) {
  return numbers.toSorted((a, b) => a - b)[numbers.length >> 1];
}

/** Time of the processor, which waiting for others does not add to, in nanoseconds. */
function processorTime() {
  const { user, system } = process.cpuUsage();
  return (user + system) * 1000;
}

/** Nanoseconds for a byte of the message, for each size. */
function measure([, delimiter, opcode, payloadOf, settings], encode, feed) {
  const messages = SIZES.map((size) => encode(opcode, payloadOf(size)));
  const times = SIZES.map(() => []);
  for (let round = 0; round < ROUNDS; round++) {
    for (const [i, size] of SIZES.entries()) {
      // As many bytes in all for each size. Copies: the parser unmasks in place.
      const copies = Array.from({ length: SIZES.at(-1) / size }, () => Buffer.from(messages[i]));
      const start = processorTime();
      for (const bytes of copies) feed(engine(delimiter, settings), bytes);
      // The first round is for the compiler.
      if (round > 0) times[i].push((processorTime() - start) / SIZES.at(-1));
    }
  }
  return times.map(median);
}

const sizes = SIZES.map((size) => size / 1024).join(' / ');
console.log(`Nanoseconds of processor time per byte of one message of ${sizes} KiB, medians of ${ROUNDS - 1}.`);
console.log(`Node ${process.version}, ${cpus()[0]?.model}.\n`);
console.log(`| delimiter | ${WAYS.map(([way]) => way).join(' | ')} |`);
console.log(`|---|${'---|'.repeat(WAYS.length)}`);
for (const row of ROWS) {
  const cells = WAYS.map(([way, encode, feed]) => {
    const times = measure(row, encode, feed);
    // Four times as much: what is quadratic takes four times as long for a byte. Less than half a nanosecond is noise.
    if (times.at(-1) > 2 * times[0] + 0.5) {
      console.error(`${row[0]}, ${way}: not linear.`);
      process.exitCode = 1;
    }
    return times.map((ns) => ns.toFixed(ns < 10 ? 1 : 0)).join(' / ');
  });
  console.log(`| ${row[0]} | ${cells.join(' | ')} |`);
}
