/**
 * Issue 2331 of ws (and #2329, #2332, #2335), 8.21.0: fragments were counted instead of what they pin. Up to 131,072 of them 0.9
 * MB on the wire still pinned 13.5 MB, empty ones were not counted at all, and a smaller number broke honest clients. Here the
 * bytes that are pinned are limited, and the number of fragments makes no difference to them.
 */
import { serveHooks } from '../connection/open.js';
import { frame, more, text } from '../support/frames.js';
import { KIB, pinnedByEach } from './memory.js';
import { expectNothingLogged } from './witness.js';

const FRAGMENTS = 131_072;
const LIMIT = 65_536;

const repeated = (bytes: Buffer, count: number): Buffer => Buffer.concat(new Array<Buffer>(count).fill(bytes));

const EMPTY = repeated(more(''), FRAGMENTS);

expectNothingLogged();

describe('Issue 2331 (ws): fragments were counted, and not what they pin', () => {
  it(`a message of ${FRAGMENTS} empty fragments pins nothing`, async () => {
    const { open } = await serveHooks({});
    const bytes = Buffer.concat([text('', false), EMPTY]);
    expect(await pinnedByEach(open, bytes)).toBeLessThan(16 * KIB);
  });

  it('a message at the limit pins at most twice the limit, however many empty fragments are between its bytes', async () => {
    const { open } = await serveHooks({});
    const bytes = Buffer.concat([text('a', false), repeated(Buffer.concat([more(''), more('a')]), LIMIT - 1)]);
    expect(await pinnedByEach(open, bytes)).toBeLessThan(2 * LIMIT + 24 * KIB);
  });

  it('an honest client may send as many fragments as it likes', async () => {
    const { open } = await serveHooks({
      onRead(data) {
        this.write(String(data.length));
      },
    });
    const { client } = await open();
    client.send(text('', false), EMPTY, repeated(more('a'), LIMIT), EMPTY, more('', true));
    expect(await client.nextText()).toBe(String(LIMIT));
  });

  it('a message that never ends is refused with the byte that is too many, and not before', async () => {
    const overflows = jest.fn();
    const { open } = await serveHooks({ onOverflowError: (error) => overflows(error.size, error.limit) });
    const { client } = await open();
    client.send(text('', false), EMPTY, repeated(more('a'), LIMIT), frame({ opcode: 9, payload: 'still open' }));
    expect((await client.next()).payload.toString()).toBe('still open');
    client.send(more('a'));
    await expect(client).toCloseWith(1009);
    expect(overflows.mock.calls).toEqual([[LIMIT + 1, LIMIT]]);
  });
});
