/**
 * All that this library says of its speed, measured: its server beside those of `ws`, `express-ws`, Bun and plain `net`, each in a
 * process of its own on one core, and the load on the other. Rounds interleave the contestants; what is printed is the median.
 *
 *     npm run bench                 all rows
 *     npm run bench -- echo idle    those whose name begins so
 *     ROUNDS=1 npm run bench        quickly
 */
import { cpus, release } from 'node:os';
import { pinLoad } from './contestant.mjs';
import { deflateRows } from './rows/deflate.mjs';
import { echoRows } from './rows/echo.mjs';
import { fanoutRows } from './rows/fanout.mjs';
import { idleRows } from './rows/idle.mjs';
import { latencyRows } from './rows/latency.mjs';
import { streamRows } from './rows/stream.mjs';
import { upgradeRows } from './rows/upgrade.mjs';

const ROUNDS = Number(process.env.ROUNDS ?? 5);
const wanted = process.argv.slice(2);
const rows = [
  ...echoRows,
  ...fanoutRows,
  ...upgradeRows,
  ...idleRows,
  ...streamRows,
  ...latencyRows,
  ...deflateRows,
].filter(({ name }) => wanted.length === 0 || wanted.some((prefix) => name.startsWith(prefix)));

const median = (values) => values.toSorted((a, b) => a - b)[values.length >> 1];
const shown = (value) =>
  value >= 1000 ? Math.round(value).toLocaleString('en') : value >= 10 ? value.toFixed(1) : value.toPrecision(3);

pinLoad();
console.log(
  `Node ${process.version}, Linux ${release()}, ${cpus().length} × ${cpus()[0].model}; medians of ${ROUNDS} rounds\n`,
);
// Of a round of a contestant `value` is what is compared, in the row's unit; `cpu` is microseconds of its process for each message.
// `subject` is whom the targets are about; `limit` is a bound on its value itself.
for (const { name, unit, contestants, run, targets = {}, subject = 'websocket-route', limit } of rows) {
  const results = new Map(Object.keys(contestants).map((contestant) => [contestant, []]));
  for (let round = 0; round < ROUNDS; round++) {
    for (const [contestant, how] of Object.entries(contestants)) results.get(contestant).push(await run(how));
  }
  const values = Object.fromEntries(
    [...results].map(([contestant, all]) => [contestant, median(all.map((one) => one.value))]),
  );
  const cells = [...results].map(([contestant, all]) => {
    const cpu = all[0].cpu === undefined ? '' : ` (${shown(median(all.map((one) => one.cpu)))} µs)`;
    return `${contestant} ${shown(values[contestant])}${cpu}`;
  });
  const ours = values[subject];
  const ratios = Object.entries(targets).map(([contestant, target]) => {
    // Of what is to be small the bound is an upper one, and given as negative.
    const ratio = ours / values[contestant];
    const isMet = target > 0 ? ratio >= target : ratio <= -target;
    return `${ratio.toPrecision(3)} of ${contestant} (${target > 0 ? 'at least' : 'at most'} ${Math.abs(target)}${isMet ? '' : ', MISSED'})`;
  });
  if (limit !== undefined) ratios.push(`at most ${limit}${ours <= limit ? '' : ', MISSED'}`);
  console.log(`| ${name} | ${unit} | ${cells.join(' | ')} | ${ratios.join('; ')} |`);
}
process.exit();
