/** Two servers behind ports, ours and that of `ws`, and what either makes of the bytes of a client. */
import { createServer } from 'node:http';
import { connect } from 'node:net';
import { WebSocketServer } from 'ws';
import { acceptWebSocket, type ConnectionOptions, WebSocketHandler } from '../../lib/index.js';
import { FrameReader } from '../../lib/testing/frames.js';
import { KEY } from '../support/raw-client.js';
import { type Running, serve } from '../support/server.js';
import type { Mode, Outcome, Readers } from './differences.js';
import { cut } from './streams.js';
import { codeOf } from './ws-receiver.js';

/** What is known of a connection on the server's side. */
interface Story {
  messages: unknown[];
  /** Where they are told. */
  pings: string[];
  /** It ended otherwise than by a goodbye of the client's. */
  hasFailed: boolean;
  /** By what code. */
  code: number | undefined;
  over(): void;
}

const stories = new Map<string, Story>();
let connections = 0;

/** By the target of its request. */
function storyOf(url: string | undefined): { story: Story; mode: Mode } {
  const { pathname, searchParams } = new URL(url ?? '', 'http://localhost');
  const story = stories.get(pathname);
  if (story === undefined) throw new Error(`no connection is at ${url}`);
  return { story, mode: JSON.parse(searchParams.get('mode') ?? '') };
}

/** Both, started for one test. */
export async function startServers(): Promise<(mode: Mode) => Readers> {
  const [ours, theirs] = await Promise.all([serveOurs(), serveWs()]);
  return (mode) => ({ mode, ours: (bytes) => send(ours, mode, bytes), ws: (bytes) => send(theirs, mode, bytes) });
}

function serveOurs(): Promise<Running> {
  return serve((request, response) => {
    const { story, mode } = storyOf(request.url);
    class Telling extends WebSocketHandler {
      override onRead(data: string | Buffer): void {
        tell(story, Buffer.from(data), typeof data !== 'string');
      }
      /** Then it is 1009, as by default, without a word about it. */
      override onOverflowError(): void {}
      override onClose(code: number, _reason: string, wasClean: boolean): void {
        story.hasFailed = !wasClean;
        if (code !== 1006) story.code = code;
        story.over();
      }
    }
    const options: ConnectionOptions = {
      bufferSize: mode.limit,
      compress: compressOf(mode),
      pingInterval: 0,
      origins: '*',
    };
    acceptWebSocket(request, response, Telling, options);
  });
}

function compressOf({ compress }: Mode): ConnectionOptions['compress'] {
  return compress === 'in one context'
    ? { serverNoContextTakeover: false, clientNoContextTakeover: false }
    : compress === 'by message';
}

async function serveWs(): Promise<Running> {
  const servers = new Map<string, WebSocketServer>();
  const server = createServer();
  server.on('upgrade', (request, socket, head) => {
    const { story, mode } = storyOf(request.url);
    const key = JSON.stringify(mode);
    let server = servers.get(key);
    if (server === undefined) {
      const noTakeover = { serverNoContextTakeover: true, clientNoContextTakeover: true };
      const perMessageDeflate = mode.compress === 'not' ? false : mode.compress === 'by message' ? noTakeover : {};
      server = new WebSocketServer({ noServer: true, maxPayload: mode.limit, perMessageDeflate });
      servers.set(key, server);
    }
    server.handleUpgrade(request, socket, head, (client) => {
      client.on('message', (data: Buffer, isBinary) => tell(story, data, isBinary));
      // Seen here because it answers none, and says no goodbye, to a client whose FIN comes while it inflates what came before that.
      client.on('ping', (data) => story.pings.push(data.toString('latin1')));
      client.on('error', (error) => {
        story.code = codeOf(error);
        story.hasFailed = true;
      });
      client.on('close', (code) => {
        if (code === 1006) story.hasFailed = true;
        else story.code ??= code;
        story.over();
      });
    });
  });
  return serve(server);
}

function tell({ messages }: Story, data: Buffer, isBinary: boolean): void {
  messages.push(['message', isBinary ? 2 : 1, data.toString('latin1')]);
}

/** Sends bytes and FIN, and waits until both ends are done. */
async function send({ port }: Running, mode: Mode, bytes: Buffer): Promise<Outcome> {
  const path = `/${connections++}`;
  const story: Story = { messages: [], pings: [], hasFailed: false, code: undefined, over() {} };
  const over = new Promise<void>((resolve) => {
    story.over = resolve;
  });
  stories.set(path, story);
  const socket = connect(port, '127.0.0.1');
  socket.setNoDelay(true);
  socket.on('error', () => {});
  const gone = new Promise((resolve) => socket.once('close', resolve));
  const answered = new Promise<Buffer>((resolve, reject) => {
    socket.once('data', resolve);
    socket.once('close', () => reject(new Error('the handshake has no answer')));
  });
  socket.write(
    [
      `GET ${path}?mode=${encodeURIComponent(JSON.stringify(mode))} HTTP/1.1`,
      ...['Host: localhost', 'Connection: Upgrade', 'Upgrade: websocket', 'Sec-WebSocket-Version: 13'],
      ...[`Sec-WebSocket-Key: ${KEY}`, 'Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits', '', ''],
    ].join('\r\n'),
  );
  const head = String(await answered);
  if (!head.startsWith('HTTP/1.1 101 ') || !head.endsWith('\r\n\r\n')) throw new Error(head);
  const reader = new FrameReader();
  const frames: ReturnType<FrameReader['feed']> = [];
  socket.on('data', (chunk: Buffer) => frames.push(...reader.feed(chunk)));
  for (const chunk of cut(bytes, mode.sizes)) {
    if (!socket.writable) break;
    await new Promise((resolve) => socket.write(chunk, resolve));
  }
  socket.end();
  await Promise.all([gone, over]);
  stories.delete(path);
  const pongs = frames.filter(({ opcode }) => opcode === 10).map(({ payload }) => payload.toString('latin1'));
  const close = frames.find(({ opcode }) => opcode === 8)?.payload;
  const { code, hasFailed, messages, pings } = story;
  const said = close && (close.length === 0 ? 1005 : close.readUInt16BE(0));
  if (said !== undefined && said !== code) throw new Error(`${said} was said, and ${code} meant`);
  const happened: unknown[] = [messages, pings.length > pongs.length ? pings : pongs];
  return hasFailed ? { happened, code } : { happened: [...happened, ['closed', code]], code: undefined };
}
