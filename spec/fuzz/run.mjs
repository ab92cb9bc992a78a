/**
 * `npm run fuzz`: all properties of this directory, round after round, each round from another seed, until the time is up.
 *
 *     FUZZ_SECONDS=600 npm run fuzz   for so long; default 60. No round begins that would not be done by then, but for the first
 *     FUZZ_SEED=123 npm run fuzz      one round, from this seed: as printed for the round that has failed
 *
 * Ends at the first round that fails, which it prints whole.
 */
import { spawn } from 'node:child_process';
import { randomInt } from 'node:crypto';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('../..', import.meta.url));
/** Times as many cases as in the tests. */
const FACTOR = 3;
/** For one round, in milliseconds: far more than it takes. One that never ends is a failure. */
const PATIENCE = 30 * 60_000;

const seconds = positive('FUZZ_SECONDS') ?? 60;
const seed = positive('FUZZ_SEED');

function positive(name) {
  const text = process.env[name];
  if (text === undefined || text === '') return undefined;
  const value = Number(text);
  if (Number.isFinite(value) && value > 0) return value;
  console.error(`${name} is ${text}: it must be a positive number`);
  process.exit(2);
}

/** What jest says of one round, and how many tests passed and failed. */
function round(seed) {
  const jest = join(root, 'node_modules', 'jest', 'bin', 'jest.js');
  const env = { ...process.env, FUZZ_SEED: String(seed), FUZZ_FACTOR: String(FACTOR), FORCE_COLOR: '0' };
  const child = spawn(process.execPath, [jest, 'spec/fuzz', '--runInBand'], {
    cwd: root,
    env,
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let output = '';
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding('utf8').on('data', (text) => {
      output += text;
    });
  }
  const late = setTimeout(() => {
    output += `\nkilled: the round was not done after ${PATIENCE} ms`;
    child.kill('SIGKILL');
  }, PATIENCE);
  return new Promise((resolve) => {
    child.on('close', (status) => {
      clearTimeout(late);
      const counted = (word) => Number(new RegExp(`^Tests:.* ([0-9]+) ${word}`, 'm').exec(output)?.[1] ?? 0);
      const [passed, failed] = [counted('passed'), counted('failed')];
      // One that broke down has failed, whatever it had counted.
      resolve({ output, passed, failed: status !== 0 && failed === 0 ? 1 : failed });
    });
  });
}

const end = Date.now() + seconds * 1000;
let longest = 0;
let passed = 0;
let failed = 0;
do {
  const own = seed ?? randomInt(1, 2 ** 31);
  const began = Date.now();
  console.log(`round from seed ${own}`);
  const result = await round(own);
  const took = Date.now() - began;
  longest = Math.max(longest, took);
  passed += result.passed;
  failed += result.failed;
  console.log(`  ${result.passed} passed, ${result.failed} failed, ${(took / 1000).toFixed(1)} s`);
  if (result.failed === 0) continue;
  // Indented, so that whoever counts the tests of this runner counts them once.
  console.log(result.output.replaceAll(/^/gm, '  '));
  console.log(`once more: FUZZ_SEED=${own} npm run fuzz`);
} while (failed === 0 && seed === undefined && Date.now() + longest < end);

console.log(`Tests: ${failed > 0 ? `${failed} failed, ` : ''}${passed} passed, ${passed + failed} total`);
if (failed > 0) process.exitCode = 1;
