/** A real nginx in front of servers of ours, with the configuration of docs/behind-nginx.md. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { readPage } from '../docs/blocks.js';
import { certificate } from '../support/certificate.js';
import { freePort } from '../support/free-port.js';

const { NGINX = '/usr/sbin/nginx' } = process.env;

export const PAGE = 'docs/behind-nginx.md';

export interface Nginx {
  /** `wss://127.0.0.1:port`. */
  readonly url: string;
  readonly httpUrl: string;
  /** Makes nginx read its configuration anew; fulfilled when new workers have taken over. */
  reload(): Promise<void>;
  stop(): Promise<void>;
}

/** What to replace in the configuration of the page. */
export type Changes = readonly (readonly [from: string, to: string])[];

const running = new Set<Nginx>();

/** The configuration of the page, to be included in `http`, for these ports and this certificate. */
function configuration(port: number, upstreams: readonly number[], folder: string, changes: Changes): string {
  const block = /^```nginx\n(.*?)^```$/ms.exec(readPage(PAGE))?.[1] ?? '';
  const servers = upstreams.map((upstream) => `server 127.0.0.1:${upstream} max_fails=0;`).join('\n');
  const all: Changes = [
    ['listen 443 ssl;', `listen 127.0.0.1:${port} ssl;`],
    ['server 127.0.0.1:8081 max_fails=0;', servers],
    ['server 127.0.0.1:8082 max_fails=0;', ''],
    ['/etc/ssl/example.com.crt', join(folder, 'cert.pem')],
    ['/etc/ssl/example.com.key', join(folder, 'key.pem')],
    ...changes,
  ];
  return all.reduce((text, [from, to]) => {
    // What a test changes must be what the page says.
    if (text.split(from).length !== 2) throw new Error(`${PAGE} must have "${from}" once in its configuration`);
    return text.replace(from, to);
  }, block);
}

/** Starts nginx in front of servers that listen on these ports. Each worker takes turns between them on its own. */
export async function startNginx(
  upstreams: readonly number[],
  changes: Changes = [],
  { workers = 2 } = {},
): Promise<Nginx> {
  const folder = await mkdtemp(join(tmpdir(), 'websocket-route-nginx-'));
  const { key, cert } = await certificate();
  await writeFile(join(folder, 'key.pem'), key);
  await writeFile(join(folder, 'cert.pem'), cert);
  for (let attempt = 1; ; attempt++) {
    const port = await freePort();
    const site = configuration(port, upstreams, folder, changes);
    await writeFile(join(folder, 'nginx.conf'), around(site, folder, workers));
    try {
      return await run(folder, port);
    } catch (error) {
      // Somebody else was quicker to take the port.
      if (attempt < 3 && String(error).includes('Address already in use')) continue;
      await rm(folder, { recursive: true });
      throw error;
    }
  }
}

/** What a distribution's /etc/nginx/nginx.conf has around the files of conf.d. */
function around(site: string, folder: string, workers: number): string {
  const temporary = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'];
  return `
    ${process.getuid?.() === 0 ? 'user root;' : ''}
    worker_processes ${workers};
    pid ${join(folder, 'nginx.pid')};
    error_log stderr notice;
    events {}
    http {
      access_log off;
      ${temporary.map((name) => `${name}_temp_path ${join(folder, name)};`).join('\n')}
      ${site}
    }`;
}

async function run(folder: string, port: number): Promise<Nginx> {
  const args = ['-p', folder, '-c', join(folder, 'nginx.conf'), '-e', 'stderr', '-g', 'daemon off;'];
  const child = spawn(NGINX, args, { stdio: ['ignore', 'ignore', 'pipe'] });
  const exited = once(child, 'exit');
  await workersOf(child);
  const nginx: Nginx = {
    url: `wss://127.0.0.1:${port}`,
    httpUrl: `https://127.0.0.1:${port}`,
    async reload() {
      const replaced = workersOf(child);
      child.kill('SIGHUP');
      await replaced;
    },
    async stop() {
      running.delete(nginx);
      child.kill('SIGTERM');
      await exited;
      await rm(folder, { recursive: true });
    },
  };
  running.add(nginx);
  return nginx;
}

/** Waits for nginx to say that it has started its workers: it listens by then. */
async function workersOf({ stderr }: ChildProcess): Promise<void> {
  if (stderr === null) throw new Error('nginx has no stderr');
  const said: string[] = [];
  const lines = createInterface({ input: stderr });
  await new Promise<void>((resolve, reject) => {
    lines.on('line', (line) => {
      said.push(line);
      if (line.includes('start worker process ')) resolve();
    });
    lines.on('close', () => reject(new Error(`nginx does not start:\n${said.join('\n')}`)));
  });
  lines.removeAllListeners();
  lines.close();
  // What it says later is not read, and must not fill the pipe.
  stderr.resume();
}

afterEach(async () => {
  for (const nginx of running) await nginx.stop();
});
