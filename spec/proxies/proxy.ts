/** Real proxies in front of a server of ours, each with its configuration of docs/interoperability.md. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmod, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as later } from 'node:timers/promises';
import { readPage } from '../docs/blocks.js';
import { certificate } from '../support/certificate.js';
import { freePort } from '../support/free-port.js';

export const PAGE = 'docs/interoperability.md';

/** What to replace in a configuration of the page. */
export type Changes = readonly (readonly [from: string, to: string])[];

/** Where a test puts what the page has at its usual place. */
export interface Place {
  readonly folder: string;
  /** Of the proxy. */
  readonly port: number;
  /** Of the server behind it. */
  readonly upstream: number;
}

export interface Program {
  /** The language of its block in the page. */
  readonly block: string;
  readonly tls: boolean;
  /** Whether it says who the client is, so that the app may believe it. Default: true. */
  readonly isTrusted?: boolean;
  /** Makes the page's configuration one for this place. */
  readonly changes: (place: Place) => Changes;
  /** What a distribution has around it. */
  readonly around?: (site: string, place: Place) => string;
  /** What makes it end a connection after two seconds of silence; without it, it never does. */
  readonly impatient?: { readonly changes?: Changes; readonly args?: readonly string[] };
  readonly command: (file: string, place: Place) => readonly [program: string, ...args: string[]];
}

export interface RunningProxy {
  readonly url: string;
  readonly httpUrl: string;
}

/** How to stop each of them. */
const running = new Set<() => Promise<void>>();

/** Starts the proxy in front of the server that listens on `upstream`. */
export async function startProxy(
  program: Program,
  upstream: number,
  { changes = [], args = [] }: Program['impatient'] = {},
): Promise<RunningProxy> {
  const folder = await mkdtemp(join(tmpdir(), 'websocket-route-proxy-'));
  const place = { folder, port: await freePort(), upstream };
  // Some of them leave root behind before they write.
  await chmod(folder, 0o777);
  const { key, cert } = await certificate();
  await writeFile(join(folder, 'key.pem'), key);
  await writeFile(join(folder, 'cert.pem'), cert);
  await writeFile(join(folder, 'both.pem'), `${cert}\n${key}`);
  const site = replaced(blockOf(program.block), [...program.changes(place), ...changes]);
  const file = join(folder, 'proxy.conf');
  await writeFile(file, program.around?.(site, place) ?? site);
  const [name, ...own] = program.command(file, place);
  const child = spawn(name, [...own, ...args], { cwd: folder, stdio: ['ignore', 'pipe', 'pipe'] });
  const said: string[] = [];
  for (const stream of [child.stdout, child.stderr]) stream.setEncoding('utf8').on('data', (text) => said.push(text));
  const exited = once(child, 'exit');
  running.add(async () => {
    child.kill('SIGTERM');
    await exited;
    await rm(folder, { recursive: true });
  });
  await listening(place.port, child, said);
  const s = program.tls ? 's' : '';
  return { url: `ws${s}://127.0.0.1:${place.port}`, httpUrl: `http${s}://127.0.0.1:${place.port}` };
}

function blockOf(language: string): string {
  const block = new RegExp(`^\`\`\`${language}\\n(.*?)^\`\`\`$`, 'ms').exec(readPage(PAGE))?.[1];
  if (block === undefined) throw new Error(`${PAGE} has no block of ${language}`);
  return block;
}

/** What a test changes must be what the page says. */
function replaced(site: string, changes: Changes): string {
  return changes.reduce((text, [from, to]) => {
    if (text.split(from).length !== 2) throw new Error(`${PAGE} must have "${from}" once in that configuration`);
    return text.replace(from, to);
  }, site);
}

/** These programs say in different words, or not at all, that they listen: so it is tried. */
async function listening(port: number, child: ChildProcess, said: readonly string[]): Promise<void> {
  for (;;) {
    if (child.exitCode !== null) throw new Error(`the proxy does not start:\n${said.join('')}`);
    const socket = connect(port, '127.0.0.1');
    const connected = await once(socket, 'connect').then(
      () => true,
      () => false,
    );
    socket.destroy();
    if (connected) return;
    await later(20);
  }
}

export async function stopProxies(): Promise<void> {
  for (const stop of running) await stop();
  running.clear();
}
