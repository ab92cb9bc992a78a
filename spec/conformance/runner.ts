/** Plays the cases of a table, each on a connection of its own. */
import express from 'express';
import { type ConnectionOptions, WebSocketHandler, websocketRoute } from '../../lib/index.js';
import { closeBody, frame, type ServerFrame } from '../support/frames.js';
import { RawClient } from '../support/raw-client.js';
import { type Running, serve } from '../support/server.js';
import { DeflateClient } from './deflate-client.js';
import { StrictClient } from './strict-client.js';
import type { Case, Goodbye, Received, Step } from './table.js';

export const MAX_SIZE = 16 * 1024 * 1024;

/** What the server of `/closes` says when it closes, which it does after it has echoed the first message. */
export const CLOSES: Goodbye = { code: 4000, reason: 'enough' };

class Echo extends WebSocketHandler {
  override onRead(data: string | Buffer): void {
    this.write(data);
  }

  /** Without a word on the console: the connection fails with 1009 all the same. */
  override onOverflowError(): void {}
}

class Closes extends WebSocketHandler {
  override onRead(data: string | Buffer): void {
    this.write(data);
    this.close(CLOSES.code, CLOSES.reason);
  }
}

/** A server that echoes whole messages, of 16 MiB at `/echo` and of 1,024 bytes at `/small`. */
export function echoServer(options: ConnectionOptions = {}): Promise<Running> {
  const app = express();
  app.use(websocketRoute('/echo', Echo, { bufferSize: MAX_SIZE, ...options }));
  app.use(websocketRoute('/small', Echo, { bufferSize: 1024, ...options }));
  app.use(websocketRoute('/closes', Closes));
  return serve(app);
}

/** One test per case, named by its id. */
export function playAll(cases: readonly Case[], options: ConnectionOptions = {}): void {
  it.each(cases.map((one) => [one.id, one.does, one] as const))('%s %s', async (_id, _does, one) => {
    await play(await echoServer(options), one);
  });
}

export async function play(server: Running, { path = '/echo', offer, steps, ends }: Case): Promise<void> {
  const client =
    offer === undefined
      ? new StrictClient(await RawClient.open(server, path))
      : await DeflateClient.openWith(server, path, offer);
  for (const step of steps()) await take(client, step);
  if (ends === 'alive') await bidFarewell(client);
  else if (ends !== 'over') expectGoodbye(await client.next(), ends);
  await client.over();
  client.raw.socket.destroy();
}

async function take(client: StrictClient, step: Step): Promise<void> {
  if ('send' in step) await client.write(step.send, step.by);
  else if ('receive' in step) expectFrame(await client.next(), step.receive);
  else if ('hear' in step) expectGoodbye(await client.next(), step.hear);
  else client.raw.socket.end();
}

async function bidFarewell(client: StrictClient): Promise<void> {
  const [ping, bye] = [Buffer.from('still there?'), closeBody(1000, 'bye')];
  await client.write(frame({ opcode: 9, payload: ping }));
  expectFrame(await client.next(), { opcode: 10, payload: ping });
  await client.write(frame({ opcode: 8, payload: bye }));
  expectFrame(await client.next(), { opcode: 8, payload: bye });
}

/** By `toEqual` only where it fails: that looks at each of sixteen million bytes by itself. */
export function expectFrame(actual: ServerFrame, { opcode, payload }: Received): void {
  const { fin, rsv } = actual;
  if (actual.opcode === opcode && fin && rsv === 0 && actual.payload.equals(payload)) return;
  const shown = actual.payload.equals(payload)
    ? 'as expected'
    : `${actual.payload.length} bytes: ${start(actual.payload)}`;
  expect({ ...actual, payload: shown }).toEqual({ opcode, fin: true, rsv: 0, masked: false, payload: 'as expected' });
}

export function expectGoodbye({ opcode, fin, rsv, payload }: ServerFrame, { code, reason }: Goodbye): void {
  expect({ opcode, fin, rsv }).toEqual({ opcode: 8, fin: true, rsv: 0 });
  expect(payload).not.toHaveLength(1);
  const actual = payload.length === 0 ? 1005 : payload.readUInt16BE();
  expect([actual, payload.toString('utf8', 2)]).toEqual([code, reason ?? expect.any(String)]);
}

function start(payload: Buffer): string {
  return payload.toString('latin1', 0, 40);
}
