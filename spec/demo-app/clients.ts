/** The clients that every demo must get on with: `ws` on one side, the browsers' own interface, by undici, on the other. */
import { WebSocket as UndiciWebSocket } from 'undici';
import { WebSocket as WsWebSocket } from 'ws';
import { AsyncQueue } from '../../lib/testing/async-queue.js';

export interface Client {
  send(data: string | Uint8Array): void;
  close(code: number, reason: string): void;
  /** The next message: text as a string, binary data as a Buffer. */
  next(): Promise<string | Buffer>;
  /** What ended the connection. */
  closed: Promise<{ code: number; reason: string }>;
}

/** Connects; fails when the handshake is refused. */
export type Open = (url: string) => Promise<Client>;

function openWith(create: (url: string) => UndiciWebSocket | WsWebSocket): Open {
  return (url) =>
    new Promise((resolve, reject) => {
      const socket = create(url);
      socket.binaryType = 'arraybuffer';
      const messages = new AsyncQueue<string | Buffer>();
      socket.onmessage = ({ data }: { data: unknown }) => {
        if (typeof data === 'string') messages.push(data);
        else if (data instanceof ArrayBuffer) messages.push(Buffer.from(data));
        else messages.push(`neither text nor an ArrayBuffer: ${data}`);
      };
      const closed = new Promise<{ code: number; reason: string }>((resolveClosed) => {
        socket.onclose = ({ code, reason }: { code: number; reason: string }) => resolveClosed({ code, reason });
      });
      socket.onerror = ({ message }: { message: string }) => reject(new Error(message));
      socket.onopen = () =>
        resolve({
          send: (data) => socket.send(data),
          close: (code, reason) => socket.close(code, reason),
          next: () => messages.next(),
          closed,
        });
    });
}

export const clients: [name: string, open: Open][] = [
  ['ws', openWith((url) => new WsWebSocket(url))],
  ['undici', openWith((url) => new UndiciWebSocket(url))],
];
