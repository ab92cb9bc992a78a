/** Family 2, pings and pongs, and what section 5.5 asks of all control frames. */
import { closeBody, frame, more, text } from '../support/frames.js';
import { bytesOf, type Case, octets, receive, send, showing } from './table.js';

const RFC = 'RFC 6455';
const ping = (payload: Buffer | string = ''): Buffer => frame({ opcode: 9, payload });
const pong = (payload: Buffer | string = ''): Buffer => frame({ opcode: 10, payload });
const NOT_TEXT = Buffer.from('00fffefdfcfb00ff', 'hex');
const TEN = Array.from({ length: 10 }, (_, i) => `payload-${i}`);

const pings = showing<Case>(
  `${RFC} 5.5.2`,
  'Upon receipt of a Ping frame, an endpoint MUST send a Pong frame in response, unless it already received a Close frame.',
  [
    { id: '2.1', does: 'answers a ping without a payload', steps: () => [send(ping()), receive(10)], ends: 'alive' },
    {
      id: '2.10',
      does: 'answers ten pings that come in one write, in order',
      steps: () => [send(...TEN.map(ping)), ...TEN.map((payload) => receive(10, payload))],
      ends: 'alive',
    },
    {
      id: '2.11',
      does: 'answers ten pings that come octet by octet',
      steps: () => [octets(...TEN.map(ping)), ...TEN.map((payload) => receive(10, payload))],
      ends: 'alive',
    },
    {
      id: '2+1',
      does: 'answers none that comes behind a close frame',
      steps: () => [send(frame({ opcode: 8, payload: closeBody(1000) }), ping('too late'))],
      ends: { code: 1000, reason: '' },
    },
    {
      id: '2+2',
      does: 'answers a ping between two messages, in the order in which they came',
      steps: () => [send(text('a'), ping('b'), text('c')), receive(1, 'a'), receive(10, 'b'), receive(1, 'c')],
      ends: 'alive',
    },
    {
      id: '2+3',
      does: 'answers a ping while a message is not complete',
      steps: () => [
        send(text('a', false), ping('now')),
        receive(10, 'now'),
        send(more('b'), ping('and now')),
        receive(10, 'and now'),
        send(more('c', true)),
        receive(1, 'abc'),
      ],
      ends: 'alive',
    },
  ],
);

const payloads = showing<Case>(
  `${RFC} 5.5.3`,
  'A Pong frame sent in response to a Ping frame must have identical "Application data" as found in the message body of the ' +
    'Ping frame being replied to.',
  [
    {
      id: '2.2',
      does: 'answers a ping with a payload of text',
      steps: () => [send(ping('Hello, world!')), receive(10, 'Hello, world!')],
      ends: 'alive',
    },
    {
      id: '2.3',
      does: 'answers a ping with a payload that is no UTF-8',
      steps: () => [send(ping(NOT_TEXT)), receive(10, NOT_TEXT)],
      ends: 'alive',
    },
    {
      id: '2.4',
      does: 'answers a ping of 125 bytes',
      steps: () => [send(ping(bytesOf(125))), receive(10, bytesOf(125))],
      ends: 'alive',
    },
    {
      id: '2.6',
      does: 'answers a ping of 125 bytes that comes octet by octet',
      steps: () => [octets(ping(bytesOf(125))), receive(10, bytesOf(125))],
      ends: 'alive',
    },
    {
      id: '2+4',
      does: 'answers pings of every length',
      steps: () => [
        send(...Array.from({ length: 126 }, (_, size) => ping(bytesOf(size)))),
        ...Array.from({ length: 126 }, (_, size) => receive(10, bytesOf(size))),
      ],
      ends: 'alive',
    },
  ],
);

const pongs = showing<Case>(
  `${RFC} 5.5.3`,
  'A Pong frame MAY be sent unsolicited. [...] A response to an unsolicited Pong frame is not expected.',
  [
    { id: '2.7', does: 'takes a pong without a payload', steps: () => [send(pong())], ends: 'alive' },
    { id: '2.8', does: 'takes a pong with a payload', steps: () => [send(pong('unsolicited'))], ends: 'alive' },
    {
      id: '2.9',
      does: 'answers the ping behind a pong, and the ping alone',
      steps: () => [send(pong('unsolicited'), ping('a ping')), receive(10, 'a ping')],
      ends: 'alive',
    },
    {
      id: '2+5',
      does: 'takes a pong in the middle of a message',
      steps: () => [send(text('a', false), pong('unsolicited'), more('b', true)), receive(1, 'ab')],
      ends: 'alive',
    },
  ],
);

/** A whole body for each, so that nothing but the length is wrong. */
const LONG: Record<number, Buffer> = {
  8: closeBody(1000, 'x'.repeat(124)),
  9: bytesOf(126),
  10: bytesOf(126),
};

const allOfThem = showing<Case>(
  `${RFC} 5.5`,
  'All control frames MUST have a payload length of 125 bytes or less and MUST NOT be fragmented.',
  [
    { id: '2.5', does: 'fails on a ping of 126 bytes', steps: () => [send(ping(LONG[9]))], ends: { code: 1002 } },
    ...[8, 10].map((opcode, i) => ({
      id: `2+${6 + i}`,
      does: `fails on a frame of opcode ${opcode} and 126 bytes`,
      steps: () => [send(frame({ opcode, payload: LONG[opcode] }))],
      ends: { code: 1002 },
    })),
    ...[8, 9, 10].map((opcode, i) => ({
      id: `2+${8 + i}`,
      does: `fails on the first two bytes of one of opcode ${opcode} that announces 65,536 bytes`,
      steps: () => [send(frame({ opcode, payload: bytesOf(65_536) }).subarray(0, 2))],
      ends: { code: 1002 },
    })),
    ...[8, 9, 10].map((opcode, i) => ({
      id: `2+${11 + i}`,
      does: `fails on the first byte of one of opcode ${opcode} that is fragmented`,
      steps: () => [send(frame({ opcode, fin: false }).subarray(0, 1))],
      ends: { code: 1002 },
    })),
    ...[8, 9, 10].map((opcode, i) => ({
      id: `2+${14 + i}`,
      does: `fails on one of opcode ${opcode} that is fragmented, in the middle of a message`,
      steps: () => [send(text('a', false), frame({ opcode, fin: false }))],
      ends: { code: 1002 },
    })),
  ],
);

export const controlFrames: readonly Case[] = [...pings, ...payloads, ...pongs, ...allOfThem];
