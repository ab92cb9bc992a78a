/**
 * Subscribers that throw. Node raises what they throw as an uncaught exception, which jest would take for its own: so this is
 * another process.
 */
import { execFile } from 'node:child_process';
import { mkdirSync, mkdtempSync, readdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { transformFileSync } from '@swc/core';

const ROOT = join(__dirname, '..', '..');

const PROGRAM = `
  import { subscribe } from 'node:diagnostics_channel';
  import { once } from 'node:events';
  import { createServer } from 'node:http';
  import { WebSocket } from 'ws';
  import { websocketRoute } from './lib/index.js';

  const names = ['accept', 'refuse', 'open', 'close', 'error', 'overflow', 'slow-consumer', 'throttle', 'drain'];
  for (const name of names) subscribe('websocket-route:' + name, () => { throw new Error(name); });
  const uncaught = [];
  process.on('uncaughtException', ({ message }) => uncaught.push(message));

  let told;
  const closed = new Promise((resolve) => { told = resolve; });
  const server = createServer(websocketRoute('/ws', {
    onHandshake: (request) => !request.headers.cookie,
    onRead(data) { this.write(data); if (data === 'throw') throw new Error('broken'); },
    onError() {},
    onClose(...how) { told(how); },
  })).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const url = 'ws://127.0.0.1:' + server.address().port + '/ws';

  const refused = new WebSocket(url, { headers: { cookie: 'x=1' } }).on('error', () => {});
  const [, { statusCode }] = await once(refused, 'unexpected-response');
  const socket = new WebSocket(url);
  const heard = [];
  socket.on('message', (data) => { heard.push(String(data)); if (heard.length === 2) socket.close(1000); });
  await once(socket, 'open');
  socket.send('throw');
  socket.send('hello');
  const result = { statusCode, closed: await closed, heard, uncaught: await new Promise((resolve) => setImmediate(() => resolve(uncaught))) };
  console.log(JSON.stringify(result));
  process.exit();
`;

/** Runs a program beside the library, compiled as it is published: as ES modules. */
async function runBesideLibrary(program: string): Promise<string> {
  const folder = mkdtempSync(join(tmpdir(), 'websocket-route-throwing-'));
  try {
    symlinkSync(join(ROOT, 'node_modules'), join(folder, 'node_modules'));
    writeFileSync(join(folder, 'package.json'), '{ "type": "module" }');
    writeFileSync(join(folder, 'program.js'), program);
    for (const file of readdirSync(join(ROOT, 'lib'), { recursive: true, encoding: 'utf8' })) {
      if (!file.endsWith('.ts')) continue;
      const { code } = transformFileSync(join(ROOT, 'lib', file), {
        jsc: { parser: { syntax: 'typescript' }, target: 'es2023' },
        module: { type: 'es6' },
      });
      const target = join(folder, 'lib', file.replace(/\.ts$/, '.js'));
      mkdirSync(dirname(target), { recursive: true });
      writeFileSync(target, code);
    }
    return (await promisify(execFile)(process.execPath, [join(folder, 'program.js')])).stdout;
  } finally {
    rmSync(folder, { recursive: true });
  }
}

describe('a subscriber that throws', () => {
  it('does the connection no harm: Node raises what it threw as an uncaughtException', async () => {
    expect(JSON.parse(await runBesideLibrary(PROGRAM))).toEqual({
      statusCode: 403,
      closed: [1000, '', true],
      heard: ['throw', 'hello'],
      uncaught: ['refuse', 'accept', 'open', 'error', 'close'],
    });
  });
});
