/**
 * How long a handshake waits for the user's own functions: for `handshakeTimeout` in all, and not for a moment longer than the
 * peer does. For what is not asynchronous no timer is set.
 */
import type { Duplex } from 'node:stream';
import { isThenable, whenSettled } from '../thenables.js';
import { clockOf } from '../transport/clock.js';

/** Nobody waits for the handshake any more. */
export class HandshakeAborted extends Error {
  override readonly name = 'HandshakeOver';
  readonly why: 'timeout' | 'gone';

  constructor(why: 'timeout' | 'gone') {
    super(why === 'timeout' ? 'the handshake took too long' : 'the peer has gone');
    this.why = why;
  }
}

export class Deadline {
  private readonly socket: Duplex;
  private readonly timeout: number;
  /** Known from when there is something to wait for. */
  private at: number | undefined = undefined;

  /** @param timeout in milliseconds; 0: any time */
  constructor(socket: Duplex, timeout: number) {
    this.socket = socket;
    this.timeout = timeout;
  }

  /** What a function of the user's returned, once it is there: at once, unless it is a promise. */
  meet<T>(result: T | PromiseLike<T>): T | Promise<T> {
    return isThenable(result) ? this.wait(result) : result;
  }

  /**
   * @param failedLate gets the error of a promise that is rejected when nobody waits for it any more
   * @returns rejected with `HandshakeAborted` when that is so before it settles
   */
  wait<T>(result: PromiseLike<T>, failedLate: (error: unknown) => void = ignore): Promise<T> {
    return new Promise((resolve, reject) => {
      const { socket, timeout } = this;
      const clock = clockOf(socket);
      this.at ??= timeout === 0 ? Infinity : clock.now() + timeout;
      const { at } = this;
      let isOver = false;
      const stopWaiting = (): void => {
        cancel?.();
        socket.removeListener('close', onClose);
      };
      const give = (why: HandshakeAborted['why']): void => {
        isOver = true;
        stopWaiting();
        reject(new HandshakeAborted(why));
      };
      const onClose = (): void => give('gone');
      const cancel = at === Infinity ? undefined : clock.after(Math.max(0, at - clock.now()), () => give('timeout'));
      socket.once('close', onClose);
      // It went before: the event will not come again.
      if (socket.closed) onClose();
      whenSettled(
        result,
        (value) => {
          stopWaiting();
          resolve(value);
        },
        (error) => {
          stopWaiting();
          if (isOver) failedLate(error);
          else reject(error);
        },
      );
    });
  }
}

function ignore(): void {}
