/** What the receiver of `ws`, without a connection around it, makes of a stream. */
import type { Writable } from 'node:stream';
import * as ws from 'ws';
import type { Outcome } from './differences.js';
import { cut } from './streams.js';

/** The package exports it since 8.20, and its types do not say so yet. */
function createReceiver(options: object): Writable {
  const Receiver: unknown = Reflect.get(ws, 'Receiver');
  if (typeof Receiver !== 'function') throw new Error('ws exports no Receiver any more');
  return Reflect.construct(Receiver, [options]);
}

/** With what code its server would close the connection. */
export function codeOf(error: object): number {
  const symbol = Object.getOwnPropertySymbols(error).find(({ description }) => description === 'status-code');
  const code: unknown = symbol && Reflect.get(error, symbol);
  if (typeof code !== 'number') throw new Error('ws has failed without a status code', { cause: error });
  return code;
}

export async function readByWs(bytes: Buffer, sizes: readonly number[] = [bytes.length || 1]): Promise<Outcome> {
  const happened: Outcome['happened'] = [];
  const receiver = createReceiver({ isServer: true });
  let code: number | undefined;
  let isOver = false;
  receiver.on('message', (data: Buffer, isBinary: boolean) => {
    happened.push(['message', isBinary ? 2 : 1, data.toString('latin1')]);
  });
  for (const name of ['ping', 'pong']) {
    receiver.on(name, (data: Buffer) => happened.push([name, data.toString('latin1')]));
  }
  receiver.on('conclude', (status: number, reason: Buffer) => {
    happened.push(['closed', status, reason.toString()]);
    isOver = true;
  });
  receiver.on('error', () => {});
  for (const chunk of cut(bytes, sizes)) {
    if (isOver) break;
    // It unmasks in place.
    await new Promise<void>((resolve) => {
      receiver.write(Buffer.from(chunk), (error) => {
        if (error) {
          code = codeOf(error);
          isOver = true;
        }
        resolve();
      });
    });
  }
  receiver.destroy();
  return { happened, code };
}
