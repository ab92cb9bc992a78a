/** What specs assert most often, in the words of the field. Jest loads this before each spec: see `setupFilesAfterEnv`. */
import { isDeepStrictEqual } from 'node:util';

declare global {
  namespace jest {
    interface Matchers<R> {
      /** Of a parser or dispatcher under test: it failed the connection with this code, after these events and no others. */
      toFailWith(code: number, after?: readonly unknown[]): R;
      /** Of a client: what comes next is a close frame with this code, and with this reason where one is given. */
      toCloseWith(code: number, reason?: string): Promise<R>;
      /** Of the answer to a handshake, or a promise of it: 101. */
      toBeAccepted(): Promise<R>;
      /** Of the answer to a handshake, or a promise of it: this status, which is not 101. */
      toBeRefusedWith(status: number): Promise<R>;
    }
  }
}

interface Failing {
  readonly events: readonly unknown[];
}

interface Closing {
  nextClose(): Promise<{ code: number; reason: string }>;
}

interface Answered {
  readonly status: number;
  readonly body?: string;
}

type Answer = Answered | Promise<Answered>;

expect.extend({
  toFailWith({ events }: Failing, code: number, after: readonly unknown[] = []) {
    const expected = [...after, ['fail', code]];
    return {
      pass: isDeepStrictEqual(events, expected),
      message: () => this.utils.printDiffOrStringify(expected, events, 'expected events', 'events', true),
    };
  },

  async toCloseWith(client: Closing, code: number, reason?: string) {
    const close = await client.nextClose();
    const expected = { code, reason: reason ?? close.reason };
    return {
      pass: isDeepStrictEqual(close, expected),
      message: () => this.utils.printDiffOrStringify(expected, close, 'expected close', 'close', true),
    };
  },

  async toBeAccepted(answer: Answer) {
    return answeredWith(101, await answer);
  },

  async toBeRefusedWith(answer: Answer, status: number) {
    if (status === 101) throw new TypeError('101 is no refusal: use toBeAccepted()');
    return answeredWith(status, await answer);
  },
});

function answeredWith(expected: number, { status, body = '' }: Answered): jest.CustomMatcherResult {
  return {
    pass: status === expected,
    message: () => `the handshake was to be answered with ${expected}, and was with ${status}${body && `: ${body}`}`,
  };
}
