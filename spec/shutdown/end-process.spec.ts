import { deferred, turns } from '../connection/open.js';

/** What is logged here. */
const lines: string[] = [];
const log = { warn() {}, error: (line: string) => void lines.push(line) };

let exit: jest.SpyInstance;
let leave: typeof import('../../lib/shutdown/end-process.js').leave;
beforeEach(() => {
  lines.length = 0;
  // It would end the tests. What the module knows is of one process, and that ends once.
  exit = jest.spyOn(process, 'exit').mockImplementation(() => undefined as never);
  jest.isolateModules(() => {
    ({ leave } = require('../../lib/shutdown/end-process.js'));
  });
});
afterEach(() => {
  exit.mockRestore();
  process.exitCode = undefined;
});

describe('a process', () => {
  it('goes on behind servers that do not want it to end', async () => {
    await leave(Promise.resolve(), false, log);
    expect(exit).not.toHaveBeenCalled();
  });

  it('ends behind the last of the servers that are leaving, if one of them wants it to, and once', async () => {
    const [first, last] = [deferred(), deferred()];
    const left = [leave(first.promise, true, log), leave(last.promise, false, log)];
    first.resolve();
    await turns(2);
    expect(exit).not.toHaveBeenCalled();
    last.resolve();
    await Promise.all(left);
    expect(exit.mock.calls).toEqual([[]]);
  });

  it('ends when every function that is to be called before has settled', async () => {
    const gate = deferred();
    const left = leave(Promise.resolve(), () => gate.promise, log);
    await turns(2);
    expect(exit).not.toHaveBeenCalled();
    gate.resolve();
    await left;
    expect(exit).toHaveBeenCalledTimes(1);
    expect([process.exitCode, lines]).toEqual([undefined, []]);
  });

  it('ends with code 1 where such a function fails, which is logged', async () => {
    const fail = (): never => {
      throw new Error('broken');
    };
    await leave(Promise.resolve(), fail, log);
    expect(exit).toHaveBeenCalledTimes(1);
    expect([process.exitCode, lines]).toEqual([1, [expect.stringContaining('exit of drainOnSignal')]]);
  });

  it('ends also where a server could not leave as it should, which is logged', async () => {
    await leave(Promise.reject(new Error('broken')), true, log);
    expect(exit).toHaveBeenCalledTimes(1);
    expect(lines).toEqual([expect.stringContaining('drainOnSignal')]);
  });
});
