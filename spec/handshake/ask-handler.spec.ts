import { IncomingMessage } from 'node:http';
import { Socket } from 'node:net';
import { askHandler, isAsked } from '../../lib/handshake/ask-handler.js';
import { Deadline, HandshakeAborted } from '../../lib/handshake/deadline.js';
import { WebSocketHandler } from '../../lib/index.js';
import { TestClock } from '../../lib/testing/test-clock.js';
import { setClock } from '../../lib/transport/clock.js';
import { deferred, turns } from '../connection/open.js';
import { settingsOf } from '../connection/parts.js';

type Hook = WebSocketHandler['onHandshake'];

/** Asks a handler with this hook: what it said, and the errors that its `onError` was told. */
function asking(onHandshake: Hook, onError: (error: unknown) => unknown = () => undefined) {
  const errors: unknown[] = [];
  class Asked extends WebSocketHandler {
    override onHandshake(...args: Parameters<Hook>): ReturnType<Hook> {
      return onHandshake.apply(this, args);
    }

    override onError(error: unknown): unknown {
      errors.push(error);
      return onError(error);
    }
  }
  const socket = new Socket();
  const clock = new TestClock();
  setClock(socket, clock);
  const request = new IncomingMessage(socket);
  const logged: string[] = [];
  const settings = settingsOf({ log: { warn() {}, error: (line) => logged.push(line) } });
  const answer = askHandler(new Asked(), request, ['chat'], settings, new Deadline(socket, 1000));
  return { answer, errors, logged, clock, socket };
}

describe('the answer of onHandshake', () => {
  it('accepts by true, with the headers that it has filled in', () => {
    const { answer } = asking((_request, headers) => {
      headers['Set-Cookie'] = 'a=1';
      return true;
    });
    expect(answer).toEqual([['Set-Cookie', 'a=1']]);
  });

  it('may come later', async () => {
    const { answer } = asking(async () => true);
    expect(answer).toBeInstanceOf(Promise);
    expect(await answer).toEqual([]);
  });

  it.each([false, undefined, null, '', 0])('refuses with 403 by %p', (said) => {
    expect(asking(() => said as false).answer).toMatchObject({ status: 403, reason: 'hook' });
  });

  it('refuses by an object, with what that says', () => {
    const { answer, errors } = asking(() => ({ status: 401, body: 'log in' }));
    expect([answer, errors]).toEqual([expect.objectContaining({ status: 401, body: Buffer.from('log in') }), []]);
  });

  it.each<[string, Hook]>([
    [
      'throws',
      () => {
        throw new Error('broken');
      },
    ],
    ['rejects', () => Promise.reject(new Error('broken'))],
    ['is only truthy', () => 'yes' as never],
    [
      'has a header that cannot be sent',
      (_request, headers) => {
        headers['Upgrade'] = 'h2c';
        return true;
      },
    ],
    [
      'chooses a subprotocol that was not offered',
      (_request, headers) => {
        headers['Sec-WebSocket-Protocol'] = 'mail';
        return true;
      },
    ],
  ])('refuses with 500, and onError is told, where it %s', async (_what, hook) => {
    const { answer, errors } = asking(hook);
    expect(await answer).toMatchObject({ status: 500, reason: 'error' });
    expect(errors).toEqual([expect.any(Error)]);
  });

  it('is waited for as long as the deadline says; an error that comes later is told all the same', async () => {
    const gate = deferred<boolean>();
    const { answer, errors, clock } = asking(() => gate.promise);
    const aborted = expect(answer).rejects.toBeInstanceOf(HandshakeAborted);
    await clock.advance(1000);
    await aborted;
    const late = new Error('late');
    gate.reject(late);
    await turns();
    expect(errors).toEqual([late]);
  });

  it('is not answered before an asynchronous onError has finished', async () => {
    const gate = deferred();
    const { answer } = asking(
      () => Promise.reject(new Error('broken')),
      () => gate.promise,
    );
    let isAnswered = false;
    const answered = Promise.resolve(answer).then(() => {
      isAnswered = true;
    });
    await turns(2);
    expect(isAnswered).toBe(false);
    gate.resolve();
    await answered;
  });
});

it('a handler without an onHandshake of its own is not asked', () => {
  expect(isAsked(new WebSocketHandler())).toBe(false);
  const own = class extends WebSocketHandler {
    override onHandshake(): boolean {
      return true;
    }
  };
  expect(isAsked(new own())).toBe(true);
});
