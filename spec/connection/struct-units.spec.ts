/** The values of a struct are so many arguments of `onRead`, no fewer and no more, whatever it does; and one array of `messages()`. */
import { Struct, type WebSocketHandler } from '../../lib/index.js';
import { AsyncQueue } from '../../lib/testing/async-queue.js';
import { binary } from '../support/frames.js';
import { open } from './open.js';

const FORMATS = ['2x', 'Bx', '2B', '3B', '4B', '5B'];
/** Each record of them has other values. */
const records = (struct: Struct): Buffer => Buffer.from(Array.from({ length: 3 * struct.size }, (_, i) => i));
const unpacked = (struct: Struct): unknown[] => [...struct.iterUnpack(records(struct))];

describe.each(FORMATS)('the values of %s', (format) => {
  const struct = new Struct(format);

  it.each([
    ['returns nothing', () => undefined],
    ['is asynchronous', () => Promise.resolve()],
    ['returns what it likes', () => 'anything'],
  ])('are arguments of an onRead that %s', async (_name, result) => {
    const reads = new AsyncQueue<unknown[]>();
    const { client } = await open(
      {
        onRead(...values: unknown[]) {
          reads.push(values);
          return result();
        },
      },
      { readDelimiter: struct },
    );
    client.send(binary(records(struct)));
    expect(await reads.take(3)).toStrictEqual(unpacked(struct));
    client.socket.destroy();
  });

  it.each(['throws', 'rejects'])('come also after an onRead that %s', async (how) => {
    const reads = new AsyncQueue<unknown[]>();
    const errors = new AsyncQueue<unknown>();
    const { client } = await open(
      {
        onRead(...values: unknown[]) {
          reads.push(values);
          if (how === 'throws') throw new Error('mine');
          return Promise.reject(new Error('mine'));
        },
        onError: (error, hook) => void errors.push([error, hook]),
      },
      { readDelimiter: struct },
    );
    client.send(binary(records(struct)));
    expect(await reads.take(3)).toStrictEqual(unpacked(struct));
    expect(await errors.take(3)).toEqual(Array(3).fill([new Error('mine'), 'onRead']));
    client.socket.destroy();
  });

  it('are an array of messages()', async () => {
    const taken = new AsyncQueue<unknown>();
    const { client } = await open(
      {
        async onConnect(this: WebSocketHandler) {
          for await (const values of this.messages()) taken.push(values);
        },
      },
      { readDelimiter: struct },
    );
    client.send(binary(records(struct)));
    expect(await taken.take(3)).toStrictEqual(unpacked(struct));
    client.socket.destroy();
  });
});
