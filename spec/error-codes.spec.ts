/** Which code each kind of mistake has. All of them are TypeErrors. */
import { createServer } from 'node:http';
import express from 'express';
import { Registry } from 'prom-client';
import {
  broadcast,
  drain,
  ErrorCode,
  Limits,
  Opcode,
  prepare,
  upgradeListener,
  WebSocketHandler,
  websocketRoute,
} from '../lib/index.js';
import { exportMetrics } from '../lib/prometheus/index.js';
import { refused } from './docs/client.js';
import { serve } from './support/server.js';

const wrong = (value: unknown): never => value as never;
class Misspelt extends WebSocketHandler {
  onMessage(): void {}
}

const MISTAKES: Partial<Record<keyof typeof ErrorCode, [what: string, make: () => unknown][]>> = {
  INVALID_ARGUMENT: [
    ['options that are no object', () => websocketRoute('/ws', {}, wrong(5))],
    ['an argument too many', () => Reflect.apply(websocketRoute, undefined, ['/ws', {}, {}, 5])],
    ['an app that is none', () => upgradeListener(wrong(5))],
    ['a server that is none', () => drain(wrong({}))],
    ['data that is none', () => prepare(wrong(5))],
    ['members that are no iterable', () => broadcast(wrong(5), 'x')],
  ],
  INVALID_OPTION: [
    ['a bufferSize that is no number', () => websocketRoute('/ws', {}, { bufferSize: wrong('5') })],
    ['a member of rate', () => websocketRoute('/ws', {}, { rate: { messages: -1 } })],
    ['origins that are none', () => websocketRoute('/ws', {}, { origins: wrong(5) })],
    ['a converter that is none', () => websocketRoute('/ws/:id', {}, { convert: { id: wrong(5) } })],
    ['an opcode that cannot be written', () => prepare(Buffer.from('x'), { opcode: Opcode.Close })],
    ['a budget that is no number', () => new Limits({ maxBufferedBytes: wrong('5') })],
    ['an option of an exporter', () => exportMetrics({ register: new Registry(), prefix: ' ' })],
    ['a readDelimiter that is none', () => websocketRoute('/ws', { readDelimiter: wrong(true) })],
  ],
  UNKNOWN_OPTION: [
    ['a misspelt option', () => websocketRoute('/ws', {}, wrong({ bufersize: 5 }))],
    ['an option of a route with a path', () => websocketRoute({}, wrong({ convert: {} }))],
    ['a misspelt member of an option', () => websocketRoute('/ws', {}, { rate: wrong({ message: 1 }) })],
    ['an option of drainOnSignal', () => drain(createServer(), wrong({ exit: true }))],
    ['a misspelt option of a function', () => prepare('x', wrong({ flush: true }))],
  ],
  INVALID_HANDLER: [
    ['a number', () => websocketRoute('/ws', wrong(5))],
    ['an instance', () => websocketRoute('/ws', wrong(new Misspelt()))],
    ['a hook that is misspelt', () => websocketRoute('/ws', Misspelt)],
    ['a hook that is no function', () => websocketRoute('/ws', { onRead: wrong(5) })],
    ['a member that hides one of the library', () => websocketRoute('/ws', wrong({ close: 5 }))],
    ['a setting that is misspelt', () => websocketRoute('/ws', wrong({ read_delimiter: '\n' }))],
  ],
  INVALID_PATH: [
    ['a path that is malformed', () => websocketRoute('/ws/:', {})],
    ['a RegExp', () => websocketRoute(wrong(/ws/), {})],
    ['a path without a slash', () => upgradeListener(express(), { path: 'ws' })],
  ],
};

function codeOf(error: unknown): unknown {
  expect(error).toBeInstanceOf(TypeError);
  return Reflect.get(Object(error), 'code');
}

async function thrownBy(make: () => unknown): Promise<unknown> {
  try {
    await make();
  } catch (error) {
    return error;
  }
  throw new Error('nothing was thrown');
}

describe.each(Object.entries(MISTAKES))('%s is the code of', (key, mistakes) => {
  it.each(mistakes)('%s', async (_what, make) => {
    expect(codeOf(await thrownBy(make))).toBe(ErrorCode[key as keyof typeof ErrorCode]);
  });
});

describe('INVALID_RETURN_VALUE', () => {
  it('reaches onError for what onHandshake may not return', async () => {
    const errors: unknown[] = [];
    class Truthy extends WebSocketHandler {
      override onHandshake(): boolean {
        return wrong('yes');
      }
      override onError(error: unknown): void {
        errors.push(error);
      }
    }
    const { url } = await serve(express().use(websocketRoute('/ws', Truthy)));
    expect((await refused(`${url}/ws`)).status).toBe(500);
    expect(errors.map(codeOf)).toEqual(['ERR_WS_INVALID_RETURN_VALUE']);
  });
});
