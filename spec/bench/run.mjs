/**
 * All that this library says of its speed, measured: its server beside those of `ws`, `express-ws`, Bun and plain `net`, each in a
 * process of its own on one core, and the load on the other. Rounds interleave the contestants; what is printed is the median.
 *
 *     npm run bench                            all rows
 *     npm run bench -- echo idle               those whose name begins so: echo, window, tls, handshake, idle, ...
 *     ROUNDS=1 npm run bench                   quickly
 *     BEFORE=../other npm run bench -- echo    beside the build of another checkout, and how each row compares with it
 *     ONLY=before BEFORE=../other npm run bench    this library and that build alone
 */
import { cpus, release } from 'node:os';
import { BEFORE, pinLoad } from './contestant.mjs';
import { deflateRows } from './rows/deflate.mjs';
import { echoRows } from './rows/echo.mjs';
import { fanoutRows } from './rows/fanout.mjs';
import { handshakeRows } from './rows/handshake.mjs';
import { idleRows } from './rows/idle.mjs';
import { latencyRows } from './rows/latency.mjs';
import { streamRows } from './rows/stream.mjs';
import { tlsRows } from './rows/tls.mjs';
import { upgradeRows } from './rows/upgrade.mjs';
import { windowRows } from './rows/window.mjs';

const ROUNDS = Number(process.env.ROUNDS ?? 5);
const ONLY = process.env.ONLY?.split(',');
/** What is worse than before by more than this is told. */
const NOISE = 0.03;
const wanted = process.argv.slice(2);
const rows = [
  ...echoRows,
  ...windowRows,
  ...tlsRows,
  ...fanoutRows,
  ...upgradeRows,
  ...handshakeRows,
  ...idleRows,
  ...streamRows,
  ...latencyRows,
  ...deflateRows,
].filter(({ name }) => wanted.length === 0 || wanted.some((prefix) => name.startsWith(prefix)));

const median = (values) => values.toSorted((a, b) => a - b)[values.length >> 1];
const shown = (value) =>
  value >= 1000 ? Math.round(value).toLocaleString('en') : value >= 10 ? value.toFixed(1) : value.toPrecision(3);

/** The contestants of a row, with the build of before behind the one that is compared with it. */
function contestantsOf({ contestants, subject }) {
  return Object.entries(contestants)
    .filter(([name]) => ONLY === undefined || name === subject || ONLY.includes(name))
    .flatMap(([name, how]) => {
      if (BEFORE === undefined || name !== subject) return [[name, how]];
      return [
        [name, how],
        ['before', Array.isArray(how) ? ['before', ...how.slice(1)] : 'before'],
      ];
    });
}

/** The median, least and greatest ratio of a round to the same round of before, which was of the same minute. */
function sinceBefore(now, before, what, isMoreBetter) {
  const ratios = now.map((one, round) => one[what] / before[round][what]);
  const [ratio, least, most] = [median(ratios), Math.min(...ratios), Math.max(...ratios)].map((one) => one.toFixed(3));
  const isWorse = isMoreBetter ? ratio < 1 - NOISE : ratio > 1 + NOISE;
  return `${ratio} of before (${least} to ${most}${isWorse ? ', WORSE' : ''})`;
}

pinLoad();
const start = performance.now();
console.log(
  `Node ${process.version}, Linux ${release()}, ${cpus().length} × ${cpus()[0].model}; medians of ${ROUNDS} rounds\n`,
);
// Of a round of a contestant `value` is what is compared, in the row's unit; `cpu` is microseconds of its process for each message.
// `subject` is whom the targets are about; `limit` is a bound on its value itself.
for (const row of rows) {
  row.subject ??= 'websocket-route';
  const { name, unit, run, targets = {}, subject, limit } = row;
  const contestants = contestantsOf(row);
  const results = new Map(contestants.map(([contestant]) => [contestant, []]));
  for (let round = 0; round < ROUNDS; round++) {
    // Who comes first in one round comes last in the next.
    const inTurn = round % 2 === 0 ? contestants : contestants.toReversed();
    for (const [contestant, how] of inTurn) results.get(contestant).push(await run(how));
  }
  const values = Object.fromEntries(
    [...results].map(([contestant, all]) => [contestant, median(all.map((one) => one.value))]),
  );
  const cells = [...results].map(([contestant, all]) => {
    const cpu = all[0].cpu === undefined ? '' : ` (${shown(median(all.map((one) => one.cpu)))} µs)`;
    return `${contestant} ${shown(values[contestant])}${cpu}`;
  });
  const ours = values[subject];
  const ratios = Object.entries(targets)
    .filter(([contestant]) => contestant in values)
    .map(([contestant, target]) => {
      // Of what is to be small the bound is an upper one, and given as negative; `null` is none.
      const ratio = ours / values[contestant];
      if (target === null) return `${ratio.toPrecision(3)} of ${contestant}`;
      const isMet = target > 0 ? ratio >= target : ratio <= -target;
      return `${ratio.toPrecision(3)} of ${contestant} (${target > 0 ? 'at least' : 'at most'} ${Math.abs(target)}${isMet ? '' : ', MISSED'})`;
    });
  if (limit !== undefined) ratios.push(`at most ${limit}${ours <= limit ? '' : ', MISSED'}`);
  const before = results.get('before');
  if (before !== undefined) {
    const now = results.get(subject);
    ratios.push(sinceBefore(now, before, 'value', /(\/s|per CPU second)$/.test(unit)));
    if (now[0].cpu !== undefined) ratios.push(`CPU ${sinceBefore(now, before, 'cpu', false)}`);
  }
  console.log(`| ${name} | ${unit} | ${cells.join(' | ')} | ${ratios.join('; ')} |`);
}
console.log(`\n${((performance.now() - start) / 60_000).toFixed(1)} minutes`);
process.exit();
