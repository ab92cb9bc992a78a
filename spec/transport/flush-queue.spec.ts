import { flushAtEndOfTurn } from '../../lib/transport/flush-queue.js';
import { turns } from '../connection/open.js';

describe('the end of a turn', () => {
  it('flushes all who asked for it, in order, once, and those who ask meanwhile a turn later', async () => {
    const flushed: string[] = [];
    const late = { flush: () => flushed.push('late') };
    const early = {
      flush: () => {
        flushed.push('early');
        flushAtEndOfTurn(late);
      },
    };
    flushAtEndOfTurn(early);
    flushAtEndOfTurn({ flush: () => flushed.push('second') });
    expect(flushed).toEqual([]);
    await turns();
    expect(flushed).toEqual(['early', 'second']);
    await turns(2);
    expect(flushed).toEqual(['early', 'second', 'late']);
  });
});
