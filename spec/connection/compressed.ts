/** Connections on which messages are compressed, their clients' ends of that, and the turns of zlib. */
import { enterQueue, releaseTurn, zlibJobs } from '../../lib/deflate/zlib-jobs.js';
import type { ConnectionOptions, WebSocketHandler } from '../../lib/index.js';
import { compressedFrames, DeflateClient, Deflater } from '../conformance/deflate-client.js';
import { type Hooks, type Opened, open, serveHooks, turns } from './open.js';

/** As Chrome and `ws` offer it. */
export const OFFER = 'permessage-deflate; client_max_window_bits';
/** Both sides refer to the messages before. */
export const TAKEOVER = { serverNoContextTakeover: false, clientNoContextTakeover: false };

export interface Compressed extends Opened {
  /** The client, which compresses as was agreed on, and reads what the server has compressed. */
  peer: DeflateClient;
}

type TheseHooks = Hooks & ThisType<WebSocketHandler>;

export async function openCompressed(
  hooks: TheseHooks = {},
  options: ConnectionOptions = {},
  offer = OFFER,
): Promise<Compressed> {
  const headers = { 'Sec-WebSocket-Extensions': offer };
  return withPeer(await open(hooks, { compress: true, ...options }, { headers }));
}

/** A server for many of them. */
export async function serveCompressed(
  hooks: TheseHooks = {},
  options: ConnectionOptions = {},
): Promise<{ server: Opened['server']; openOne: () => Promise<Compressed> }> {
  const served = await serveHooks(hooks, { compress: true, ...options });
  const headers = { 'Sec-WebSocket-Extensions': OFFER };
  return { server: served.server, openOne: async () => withPeer(await served.open(headers)) };
}

function withPeer(opened: Opened): Compressed {
  return { ...opened, peer: new DeflateClient(opened.client, opened.handler.extensions) };
}

/** The payload of a message that refers to no other. */
export function deflated(message: string | Buffer): Buffer {
  return new Deflater(15, false).message(Buffer.from(message as string));
}

/** A message as a client sends it that refers to no other: in frames of so many bytes of what it is compressed to. */
export function packed(message: string | Buffer, by?: number): Buffer {
  return compressedFrames(typeof message === 'string' ? 1 : 2, deflated(message), by);
}

const releases = new Set<() => void>();

/** Takes all turns of zlib but so many, so that nothing goes on, until it gives them back. */
export function hogTurns(left = 0): () => void {
  let hogged = 0;
  for (; hogged < 8 - left; hogged++) enterQueue({ onTurn() {} });
  const release = (): void => {
    releases.delete(release);
    for (; hogged > 0; hogged--) releaseTurn();
  };
  releases.add(release);
  return release;
}

/** Waits until zlib has been given all that is to be had of it. */
export async function zlibIdle(): Promise<void> {
  for (let jobs = zlibJobs(); jobs.atWork + jobs.waiting > 0; jobs = zlibJobs()) await turns();
}

// Those that a failing test has left.
afterEach(() => {
  for (const release of releases) release();
});
