/** The library as it is published, in processes of its own: for what a process is told, and how it ends. */
import { type ChildProcess, execFile, type StdioOptions, spawn } from 'node:child_process';
import { once } from 'node:events';
import { copyFile, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { promisify } from 'node:util';
import { AsyncQueue } from '../../lib/testing/async-queue.js';

const ROOT = join(__dirname, '..', '..');

export interface Built {
  /** A program that is in there may import `websocket-route`, and what this project has installed. */
  readonly folder: string;
  remove(): Promise<void>;
}

/** Compiles `lib/` into a new folder: takes a second, so do it once for a spec. */
export async function build(): Promise<Built> {
  const folder = await mkdtemp(join(tmpdir(), 'websocket-route-built-'));
  // The package's own name leads to its own exports.
  await copyFile(join(ROOT, 'package.json'), join(folder, 'package.json'));
  await symlink(join(ROOT, 'node_modules'), join(folder, 'node_modules'));
  const tsc = join(ROOT, 'node_modules/typescript/bin/tsc');
  const project = join(ROOT, 'tsconfig.build.json');
  // Whether the types are right is for `npm run types` to say.
  const how = ['--outDir', join(folder, 'dist'), '--noCheck', '--declaration', 'false', '--declarationMap', 'false'];
  await promisify(execFile)(process.execPath, [tsc, '-p', project, ...how]);
  return { folder, remove: () => rm(folder, { recursive: true }) };
}

export interface Program {
  readonly process: ChildProcess;
  /** The next line that it prints; fails when it ends instead. */
  line(): Promise<string>;
  /** What it wrote to stderr so far. */
  errors(): string;
  /** How it ends: its exit code, or the signal that ended it. */
  readonly ended: Promise<number | NodeJS.Signals>;
}

const started = new Set<ChildProcess>();

/** Starts a program: an ES module, whose text this is. `stdio` must have pipes for its output. */
export async function start(
  { folder }: Built,
  name: string,
  text: string,
  args: readonly string[] = [],
  stdio: StdioOptions = ['ignore', 'pipe', 'pipe'],
  flags: readonly string[] = [],
): Promise<Program> {
  const file = join(folder, name);
  await writeFile(file, text);
  const child = spawn(process.execPath, [...flags, file, ...args], { stdio });
  started.add(child);
  const { stdout, stderr } = child;
  if (stdout === null || stderr === null) throw new Error('its output must be pipes');
  const lines = new AsyncQueue<string | null>();
  createInterface(stdout).on('line', (line) => lines.push(line));
  let errors = '';
  stderr.setEncoding('utf8').on('data', (chunk: string) => {
    errors += chunk;
  });
  const ended = once(child, 'close').then(([code, signal]: (number | NodeJS.Signals | null)[]) => {
    started.delete(child);
    lines.push(null);
    return code ?? signal ?? 0;
  });
  const line = async (): Promise<string> => {
    const next = await lines.next();
    if (next === null) throw new Error(`the program has ended: ${errors}`);
    return next;
  };
  return { process: child, line, errors: () => errors, ended };
}

// Those that a failing test has left.
afterEach(() => {
  for (const child of started) child.kill('SIGKILL');
});
