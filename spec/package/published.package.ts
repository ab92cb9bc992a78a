/** The package as others will install it: packed, put into an empty project, used from there. */
import { execFile } from 'node:child_process';
import { access, cp, mkdir, mkdtemp, readdir, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { basename, dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { program as blockNamed, blocksOf, readPage } from '../docs/blocks.js';

const root = join(__dirname, '..', '..');
const run = promisify(execFile);

let folder: string;
let tarball: string;

async function output(command: string, args: string[], cwd: string): Promise<string> {
  const { stdout } = await run(command, args, { cwd, maxBuffer: 16 * 1024 * 1024 });
  return stdout.trim();
}

/** The package where it was installed. */
const installed = (): string => join(folder, 'project', 'node_modules', 'websocket-route');

/** A program that serves the echo, connects to it with Node's own client parts, and prints what comes back. */
const program = `
class Echo extends WebSocketHandler {
  onConnect({ name }) { this.write('Hello, ' + name + '!'); }
}
const server = http.createServer(websocketRoute('/ws/:name', Echo)).listen(0, '127.0.0.1', () => {
  const socket = net.connect(server.address().port, '127.0.0.1', () => {
    socket.write('GET /ws/ada HTTP/1.1\\r\\nHost: a\\r\\nConnection: Upgrade\\r\\nUpgrade: websocket\\r\\n' +
      'Sec-WebSocket-Version: 13\\r\\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\\r\\n\\r\\n');
  });
  let all = '';
  socket.on('data', (chunk) => {
    all += chunk.toString('latin1');
    const hello = /Hello, \\w+!/.exec(all);
    if (!hello) return;
    console.log(hello[0], new Struct('!ILH').size);
    process.exit();
  });
});
`;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'websocket-route-package-'));
  const packed = await output('npm', ['pack', '--silent', '--pack-destination', folder], root);
  tarball = join(folder, packed.split('\n').at(-1) ?? '');
  await mkdir(join(folder, 'project'));
  const project = join(folder, 'project');
  await writeFile(join(project, 'package.json'), '{ "name": "project", "private": true }');
  const install = ['install', '--silent', '--no-audit', '--no-fund'];
  await output('npm', [...install, tarball], project);
  await output('npm', [...install, '--prefix', join(folder, 'compiler'), 'typescript@5.4'], folder);
});

afterAll(() => rm(folder, { recursive: true }));

describe('the packed package', () => {
  it('contains the compiled library, its types, its sources and the texts, and nothing else', async () => {
    const listing = await output('tar', ['-tzf', tarball], folder);
    const files = listing.split('\n').map((line) => line.replace(/^package\//, ''));
    expect(files).toEqual(
      expect.arrayContaining(['package.json', 'README.md', 'LICENSE', 'CHANGELOG.md', 'SECURITY.md']),
    );
    expect(files).toEqual(expect.arrayContaining(['dist/index.js', 'dist/index.d.ts']));
    expect(
      files.filter(
        (file) =>
          !/^(dist\/.*\.(js|d\.ts)(\.map)?|lib\/.*\.(ts|wat)|docs\/[\w-]+\.md|package\.json|README\.md|LICENSE|CHANGELOG\.md|SECURITY\.md)$/.test(
            file,
          ),
      ),
    ).toEqual([]);
  });

  it('brings in nothing but its three dependencies', async () => {
    const modules = await readdir(join(folder, 'project', 'node_modules'));
    expect(modules.filter((name) => !name.startsWith('.')).sort()).toEqual([
      'ipaddr.js',
      'parseurl',
      'path-to-regexp',
      'websocket-route',
    ]);
  });

  it('is used from an ES module', async () => {
    const file = join(folder, 'project', 'esm.mjs');
    await writeFile(
      file,
      `import http from 'node:http'; import net from 'node:net';
       import { Struct, WebSocketHandler, websocketRoute } from 'websocket-route';${program}`,
    );
    expect(await output(process.execPath, [file], folder)).toBe('Hello, ada! 10');
  });

  it('is used from require()', async () => {
    const file = join(folder, 'project', 'cjs.cjs');
    await writeFile(
      file,
      `const http = require('node:http'); const net = require('node:net');
       const { Struct, WebSocketHandler, websocketRoute } = require('websocket-route');${program}`,
    );
    expect(await output(process.execPath, [file], folder)).toBe('Hello, ada! 10');
  });

  it('says where it comes from, and where its bugs are reported', async () => {
    const manifest = JSON.parse(await readFile(join(installed(), 'package.json'), 'utf8')) as Record<string, unknown>;
    const home = 'https://github.com/websocket-route/websocket-route';
    expect(manifest).toMatchObject({ bugs: `${home}/issues`, homepage: `${home}#readme` });
    expect(manifest['repository']).toEqual({ type: 'git', url: `git+${home}.git` });
  });

  it('has for each compiled file a map to a source that it has, too', async () => {
    const dist = join(installed(), 'dist');
    const files = await readdir(dist, { recursive: true });
    const compiled = files.filter((file) => /\.(js|d\.ts)$/.test(file));
    expect(compiled.length).toBeGreaterThan(200);
    for (const file of compiled) {
      const path = join(dist, file);
      expect(await readFile(path, 'utf8')).toContain(`//# sourceMappingURL=${basename(file)}.map`);
      const { sources } = JSON.parse(await readFile(`${path}.map`, 'utf8')) as { sources: string[] };
      for (const source of sources) await access(join(dirname(path), source));
    }
  });

  it('shows its own sources in stack traces', async () => {
    const program = "require('websocket-route').websocketRoute('/ws', 7)";
    const failed = run(process.execPath, ['--enable-source-maps', '-e', program], { cwd: join(folder, 'project') });
    const { stderr } = await failed.catch((error: { stderr: string }) => error);
    const [, file = '', line = ''] = /\((\S+\/lib\/\S+\.ts):(\d+):\d+\)/.exec(stderr) ?? [];
    expect(file).toContain(join('node_modules', 'websocket-route', 'lib'));
    expect((await readFile(file, 'utf8')).split('\n')[Number(line) - 1]).toContain('new TypeError');
  });

  it('leads an editor from a name to its definition in the sources', async () => {
    const file = join(folder, 'project', 'definition.mts');
    const text = "import { websocketRoute } from 'websocket-route';";
    await writeFile(file, text);
    const requests = [
      { command: 'open', arguments: { file, fileContent: text } },
      { command: 'definition', arguments: { file, line: 1, offset: text.indexOf('websocketRoute') + 1 } },
      { command: 'exit' },
    ];
    const child = run(process.execPath, [join(folder, 'compiler', 'node_modules', 'typescript', 'lib', 'tsserver.js')]);
    child.child.stdin?.end(
      requests.map((one, seq) => `${JSON.stringify({ seq, type: 'request', ...one })}\n`).join(''),
    );
    const { stdout } = await child;
    const answers = stdout.split('\n').filter((line) => line.startsWith('{'));
    const found = answers.map((line) => JSON.parse(line)).find(({ command }) => command === 'definition');
    const overloads = found.body as { file: string; start: { line: number } }[];
    expect(overloads.length).toBeGreaterThan(0);
    for (const { file: source, start } of overloads) {
      expect(source).toContain('/node_modules/websocket-route/lib/');
      expect((await readFile(source, 'utf8')).split('\n')[start.line - 1]).toContain('function websocketRoute');
    }
  });

  it('has an exports map that publint accepts', async () => {
    const publint = join(root, 'node_modules', '.bin', 'publint');
    expect(await output(publint, [tarball, '--strict'], root)).toContain('All good!');
  });

  it('has types that resolve for every kind of importer', async () => {
    const attw = join(root, 'node_modules', '.bin', 'attw');
    const report = await output(attw, [tarball, '--format', 'json', '--profile', 'esm-only'], root);
    const { problems = {} } = JSON.parse(report) as { problems?: Record<string, unknown> };
    // require() gets the ES module too, which every Node that we support can do.
    expect(Object.keys(problems).filter((kind) => kind !== 'CJSResolvesToESM')).toEqual([]);
  });

  it('has subpaths for those who have their peers, and tells the others what is missing', async () => {
    const load = (name: string): Promise<string> =>
      output(
        process.execPath,
        ['-e', `console.log(typeof require('websocket-route/${name}'))`],
        join(folder, 'project'),
      );
    expect(await load('testing')).toBe('object');
    for (const [name, peer] of [
      ['prometheus', 'prom-client'],
      ['opentelemetry', '@opentelemetry/api'],
    ] as const) {
      await expect(load(name)).rejects.toThrow(`Cannot find package '${peer}'`);
    }
  });

  it.each(['7', '5.4'])('has types that TypeScript %s reads, and that catch mistakes', async (version) => {
    const compiler = version === '7' ? root : join(folder, 'compiler');
    const file = join(folder, 'project', `consumer-${version}.mts`);
    await writeFile(
      file,
      `import { Struct, WebSocketHandler, toInteger, websocketRoute } from 'websocket-route';
       import { connect, type TestClient } from 'websocket-route/testing';
       class Desk extends WebSocketHandler<{ context: { user: string }; delimiter: Struct<'!IH'> }> {
         override onHandshake() { this.context = { user: 'ada' }; return true; }
         override async onConnect() {
           for await (const [sequence, value] of this.messages()) this.write(this.context.user + (sequence + value).toFixed());
           // @ts-expect-error a context of another shape
           this.context = {};
         }
       }
       export const client: Promise<TestClient> = connect(websocketRoute('/desk', Desk), '/desk', { secure: true });
       class Player extends WebSocketHandler {
         override onConnect({ id }: { id: number }): void { this.write(id.toFixed()); }
         override onRead(data: string | Buffer): void { this.write(data); }
       }
       websocketRoute('/ws/:id', Player, { convert: { id: toInteger } });
       // @ts-expect-error without the converter the param is a string
       websocketRoute('/ws/:id', Player);
       websocketRoute('/telemetry', {
         readDelimiter: new Struct('!ILH'),
         onRead(kind, length, id) { this.writePacked(kind + length + id, 1, 2); },
       });
       websocketRoute('/telemetry', {
         readDelimiter: new Struct('!Q'),
         // @ts-expect-error 64 bits are a bigint
         onRead(count) { Math.abs(count); },
       });
       `,
    );
    expect(await complaints(compiler, file)).toBe('');
  });

  it('has types for TypeScript that becomes CommonJS, if that knows that require() loads an ES module', async () => {
    const file = join(folder, 'project', 'consumer.cts');
    await writeFile(
      file,
      `import { websocketRoute } from 'websocket-route';
       import { connect } from 'websocket-route/testing';
       export const client = connect(websocketRoute('/lines', { onRead: (line) => line.length }), '/lines');`,
    );
    expect(await complaints(root, file)).toBe('');
    expect(await complaints(join(folder, 'compiler'), file)).toContain('TS1479');
  });

  /** What the compiler that is installed there says about a file. */
  async function complaints(compiler: string, file: string): Promise<string> {
    const options = ['--noEmit', '--strict', '--module', 'nodenext', '--target', 'es2022', '--types', 'node'];
    const typeRoots = ['--typeRoots', join(root, 'node_modules', '@types')];
    const tsc = join(compiler, 'node_modules', 'typescript', 'bin', 'tsc');
    const checked = output(process.execPath, [tsc, ...options, ...typeRoots, file], folder);
    return checked.catch((error: { stdout: string }) => error.stdout);
  }
});

/** In an empty folder, by the README's own commands, with the packages that these name and no others. */
describe('the README', () => {
  /** The commands of the block that has these words. */
  function commands(words: string): string[][] {
    const blocks = Array.from(readPage('README.md').matchAll(/^```sh\n(.*?)^```$/gms), ([, block = '']) => block);
    const block = blocks.find((text) => text.includes(words)) ?? '';
    return block
      .trim()
      .split('\n')
      .map((line) => line.split(' '));
  }

  it('compiles its programs under strict, with TypeScript 7 and 5.4', async () => {
    const fresh = join(folder, 'fresh');
    await mkdir(fresh);
    await writeFile(join(fresh, 'package.json'), '{ "name": "fresh", "private": true }');
    const [[npm = '', ...install] = []] = commands('npm install websocket-route');
    await output(
      npm,
      install.map((word) => (word === 'websocket-route' ? tarball : word)),
      fresh,
    );
    const [[again = '', ...types] = [], [npx = '', ...tsc] = [], [node, program] = []] = commands('npx tsc');
    await output(again, types, fresh);
    for (const { name = '', code } of blocksOf('README.md'))
      await writeFile(join(fresh, name.replace('.mjs', '-js.mts')), code);
    expect(await output(npx, tsc, fresh)).toBe('');
    expect([node, (await readdir(fresh)).includes(program ?? '')]).toEqual(['node', true]);
    const files = (await readdir(fresh)).filter((name) => name.endsWith('.mts'));
    expect(files).toHaveLength(3);
    const strict = ['--strict', '--module', 'nodenext', '--noEmit'];
    // Each by itself: what one imports must not help another to its types.
    for (const file of files) expect(await output('npx', ['tsc', ...strict, file], fresh)).toBe('');
    const old = join(folder, 'compiler', 'node_modules', 'typescript', 'bin', 'tsc');
    expect(await output(process.execPath, [old, '--skipLibCheck', ...strict, ...files], fresh)).toBe('');
  });
});

/** A first test, as `docs/testing.md` has it, with the test runners that it names. Each must end by itself. */
describe('the testing subpath', () => {
  const jest = join(root, 'node_modules', 'jest', 'bin', 'jest.js');

  /** A project with these files of the page, and no others: one runner takes up the tests of another. */
  async function projectWith(name: string, installed: string[], files: string[]): Promise<string> {
    const project = join(folder, name);
    const modules = join(project, 'node_modules');
    await mkdir(join(modules, '@swc'), { recursive: true });
    await writeFile(join(project, 'package.json'), `{ "name": "${name}", "private": true }`);
    // A copy: jest follows links, and must see that it is a package.
    await cp(join(folder, 'project', 'node_modules'), modules, { recursive: true });
    for (const one of ['express', ...installed]) await symlink(join(root, 'node_modules', one), join(modules, one));
    for (const file of files) await writeFile(join(project, file), blockNamed('docs/testing.md', file).code);
    return project;
  }

  it('is used from node:test', async () => {
    const project = await projectWith('with-node', [], ['app.mjs', 'greeter.test.mjs']);
    const report = await output(process.execPath, ['--test', '--test-reporter=tap'], project);
    expect(report).toContain('# pass 2');
    expect(report).toContain('# fail 0');
  });

  it('is used from vitest', async () => {
    const project = await projectWith('with-vitest', ['vitest'], ['app.mjs', 'greeter.vitest.test.mjs']);
    const vitest = join(root, 'node_modules', 'vitest', 'vitest.mjs');
    const report = await output(process.execPath, [vitest, 'run', '--no-color'], project);
    expect(report).toMatch(/Tests\s+1 passed/);
  });

  it('is used from jest, which finds no handle left open', async () => {
    const files = ['app.mjs', 'greeter.jest.test.mjs', 'jest.config.mjs'];
    const project = await projectWith('with-jest', [], files);
    const flags = ['--experimental-vm-modules', jest, '--detectOpenHandles'];
    const { stderr } = await run(process.execPath, flags, { cwd: project });
    expect(stderr).toMatch(/Tests:\s+1 passed, 1 total/);
    expect(stderr).not.toContain('open handle');
  });

  it('is used from jest with require(), in TypeScript too, and no handle is left open', async () => {
    const files = ['app.js', 'greeter.test.js', 'jest.config.js'];
    const project = await projectWith('with-require', ['@swc/core', '@swc/jest'], files);
    await writeFile(
      join(project, 'typed.test.ts'),
      `import { connect, type TestClient } from 'websocket-route/testing';
       import { app } from './app.js';
       test('greets', async () => {
         const client: TestClient = await connect(app, '/ws/bob');
         expect(await client.next()).toBe('Hello, bob!');
       });`,
    );
    const { stderr } = await run(process.execPath, [jest, '--detectOpenHandles'], { cwd: project });
    expect(stderr).toMatch(/Tests:\s+2 passed, 2 total/);
    expect(stderr).not.toContain('open handle');
  });
});
