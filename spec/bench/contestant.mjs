/** A contestant, in a process of its own, on a core of its own where there is `taskset`. */
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { readdirSync, readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { resolve } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath, pathToFileURL } from 'node:url';

export const hasTaskset = spawnSync('taskset', ['-V']).status === 0;
const SERVER_CORE = '0';
const LOAD_CORE = '1';

export function pinLoad() {
  if (hasTaskset) spawnSync('taskset', ['-a', '-p', '-c', LOAD_CORE, String(process.pid)]);
}

/** Another checkout of this library, built. The contestant `before` is `route` with its `dist`. */
export const BEFORE = process.env.BEFORE;

const environmentBefore = () => ({
  ...process.env,
  WEBSOCKET_ROUTE: pathToFileURL(resolve(BEFORE, 'dist/index.js')).href,
});

export class Contestant {
  static async start(name, ...args) {
    const script = name === 'before' ? 'route' : name;
    const file = fileURLToPath(new URL(`contestants/${script}.mjs`, import.meta.url));
    const program = name === 'bun' ? bunPath() : process.execPath;
    const command = [...(hasTaskset ? ['taskset', '-c', SERVER_CORE] : []), program, file, ...args];
    const contestant = new Contestant();
    const env = name === 'before' ? environmentBefore() : process.env;
    contestant.process = spawn(command[0], command.slice(1), { stdio: ['pipe', 'pipe', 'inherit'], env });
    contestant.lines = createInterface(contestant.process.stdout);
    const [line] = await once(contestant.lines, 'line');
    contestant.port = JSON.parse(line).port;
    return contestant;
  }

  /** Processor time of all threads so far, in nanoseconds, by the operating system's account. */
  get cpu() {
    const { pid } = this.process;
    let sum = 0;
    for (const task of readdirSync(`/proc/${pid}/task`)) {
      sum += Number(readFileSync(`/proc/${pid}/task/${task}/schedstat`, 'latin1').split(' ')[0]);
    }
    return sum;
  }

  get rss() {
    return 1024 * Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${this.process.pid}/status`, 'latin1'))[1]);
  }

  async ask(what) {
    this.process.stdin.write(`${what}\n`);
    const [line] = await once(this.lines, 'line');
    return JSON.parse(line);
  }

  async stop() {
    this.process.kill('SIGKILL');
    if (this.process.exitCode === null && this.process.signalCode === null) await once(this.process, 'exit');
  }
}

function bunPath() {
  const require = createRequire(new URL('peers/package.json', import.meta.url));
  return require.resolve(
    `@oven/bun-${process.platform}-${process.arch === 'arm64' ? 'aarch64' : process.arch}/bin/bun`,
  );
}
