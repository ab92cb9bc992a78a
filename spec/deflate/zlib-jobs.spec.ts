import { AsyncLocalStorage } from 'node:async_hooks';
import { cancelTurn, enterQueue, MAX_JOBS, releaseTurn, type ZlibJob, zlibJobs } from '../../lib/deflate/zlib-jobs.js';

/** Notes its turns, and does nothing more until it is told to leave. */
class Job implements ZlibJob {
  readonly name: string;
  private readonly turns: string[];

  constructor(name: string, turns: string[]) {
    this.name = name;
    this.turns = turns;
  }

  onTurn(): void {
    this.turns.push(this.name);
  }
}

let turns: string[];
const jobs = (names: string): Job[] => Array.from(names, (name) => new Job(name, turns));
const enterAll = (names: string): Job[] => {
  const entered = jobs(names);
  for (const job of entered) enterQueue(job);
  return entered;
};

beforeEach(() => {
  turns = [];
  expect(zlibJobs()).toEqual({ atWork: 0, waiting: 0 });
});
afterEach(() => {
  while (zlibJobs().atWork > 0) releaseTurn();
});

describe('the turns of zlib', () => {
  it('come at once to eight, and to the others in the order in which they came', () => {
    enterAll('abcdefghijk');
    expect(MAX_JOBS).toBe(8);
    expect(turns.join('')).toBe('abcdefgh');
    expect(zlibJobs()).toEqual({ atWork: 8, waiting: 3 });
    releaseTurn();
    expect(turns.join('')).toBe('abcdefghi');
    expect(zlibJobs()).toEqual({ atWork: 8, waiting: 2 });
    releaseTurn();
    releaseTurn();
    expect(turns.join('')).toBe('abcdefghijk');
    expect(zlibJobs()).toEqual({ atWork: 8, waiting: 0 });
    releaseTurn();
    expect(zlibJobs()).toEqual({ atWork: 7, waiting: 0 });
    enterAll('l');
    expect(turns.join('')).toBe('abcdefghijkl');
  });

  it('a job that was cancelled while it waited never gets a turn', () => {
    const [, , , , , , , , i, j] = enterAll('abcdefghijk');
    expect(cancelTurn(i!)).toBe(true);
    expect(cancelTurn(j!)).toBe(true);
    expect(cancelTurn(j!)).toBe(false);
    expect(zlibJobs()).toEqual({ atWork: 8, waiting: 1 });
    releaseTurn();
    releaseTurn();
    expect(turns.join('')).toBe('abcdefghk');
    expect(zlibJobs()).toEqual({ atWork: 7, waiting: 0 });
  });

  it('are not given back by forgetting one that is at work', () => {
    const [a] = enterAll('abcdefghi');
    expect(cancelTurn(a!)).toBe(false);
    expect(zlibJobs()).toEqual({ atWork: 8, waiting: 1 });
  });

  it('come again to one that enters again, behind those that wait', () => {
    const [a] = enterAll('abcdefghij');
    releaseTurn();
    enterQueue(a!);
    releaseTurn();
    releaseTurn();
    expect(turns.join('')).toBe('abcdefghija');
  });

  it('pass on when a job leaves as soon as its turn has come', () => {
    const [brief, last] = jobs('yz');
    brief!.onTurn = () => {
      turns.push('y');
      releaseTurn();
    };
    enterAll('abcdefgh');
    enterQueue(brief!);
    enterQueue(last!);
    releaseTurn();
    expect(turns.join('')).toBe('abcdefghyz');
    expect(zlibJobs()).toEqual({ atWork: 8, waiting: 0 });
  });

  it('are taken as from where they were asked for, and not from where they were left', () => {
    const storage = new AsyncLocalStorage<string>();
    const seen: (string | undefined)[] = [];
    const job = { onTurn: () => void seen.push(storage.getStore()) };
    storage.run('at once', () => enterQueue(job));
    enterAll('abcdefg');
    storage.run('later', () => enterQueue({ ...job }));
    enterQueue({ ...job });
    storage.run('somebody', () => releaseTurn());
    storage.run('somebody', () => releaseTurn());
    expect(seen).toEqual(['at once', 'later', undefined]);
  });
});
