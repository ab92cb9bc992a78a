/**
 * Bounds how long a handshake waits for user functions: for `handshakeTimeout` in total, and only while the peer is
 * connected. Synchronous functions do not start a timer.
 */
import type { Duplex } from 'node:stream';
import { isThenable, whenSettled } from '../thenables.js';
import { clockOf } from '../transport/clock.js';

/** The handshake has ended, by a timeout or because the peer disconnected. */
export class HandshakeAborted extends Error {
  override readonly name = 'HandshakeAborted';
  readonly why: 'timeout' | 'gone';

  constructor(why: 'timeout' | 'gone') {
    super(why === 'timeout' ? 'the handshake took too long' : 'the peer has disconnected');
    this.why = why;
  }
}

export class Deadline {
  private readonly socket: Duplex;
  private readonly timeout: number;
  /** Set when there is something to wait for. */
  private at: number | undefined = undefined;

  /** @param timeout in milliseconds; 0 for no limit */
  constructor(socket: Duplex, timeout: number) {
    this.socket = socket;
    this.timeout = timeout;
  }

  /** The result of a user function: synchronously, unless it is a promise. */
  meet<T>(result: T | PromiseLike<T>): T | Promise<T> {
    return isThenable(result) ? this.wait(result) : result;
  }

  /**
   * @param failedLate receives the error of a promise that rejects after the handshake has ended
   * @returns rejects with `HandshakeAborted` if the handshake ends before the promise settles
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
      // Already closed: the event will not come again.
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
