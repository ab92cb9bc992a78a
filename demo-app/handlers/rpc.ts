import { WebSocketHandler } from 'websocket-route';
import { rot13 } from '../rot13.js';

type Method = (...args: unknown[]) => unknown;

/** Calls methods by name: the answer to `{"method": "rot13", "args": ["test"]}` is `{"ok": true, "result": "grfg"}`. */
export class RpcSocket extends WebSocketHandler {
  // Unlike an object, a map has no `constructor` or `__proto__` that a client could call.
  static readonly #methods = new Map<string, Method>();

  static method(name: string, method: Method) {
    RpcSocket.#methods.set(name, method);
  }

  override async onRead(data: string | Buffer) {
    let call: unknown;
    try {
      call = JSON.parse(data.toString());
    } catch {
      this.#answer(false, "can't decode JSON");
      return;
    }

    const { name, args } = nameAndArgs(call);
    const method = RpcSocket.#methods.get(name);
    if (method === undefined) {
      this.#answer(false, 'no such method');
      return;
    }

    try {
      this.#answer(true, await method(...args));
    } catch (error) {
      this.#answer(false, error instanceof Error ? error.message : String(error));
    }
  }

  #answer(ok: boolean, result: unknown) {
    this.write(JSON.stringify({ ok, result }));
  }
}

function nameAndArgs(call: unknown): { name: string; args: unknown[] } {
  const isObject = typeof call === 'object' && call !== null;
  const name = isObject && 'method' in call && typeof call.method === 'string' ? call.method : '';
  const args = isObject && 'args' in call && Array.isArray(call.args) ? call.args : [];
  return { name, args };
}

RpcSocket.method('rot13', (text) => {
  if (typeof text !== 'string') throw new TypeError('rot13 takes a string');
  return rot13(text);
});

RpcSocket.method('sum', (...numbers) => {
  let sum = 0;
  for (const number of numbers) {
    if (typeof number !== 'number') throw new TypeError('sum takes numbers');
    sum += number;
  }
  return sum;
});
