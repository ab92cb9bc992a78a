import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { FAMILIES, IDS } from '../conformance/families.js';
import { differences } from '../fuzz/differences.js';
import { ROOT, readPage } from './blocks.js';

const PAGE = readPage('docs/conformance.md');

describe('docs/conformance.md', () => {
  it('says how many cases each family has', () => {
    const rows = Array.from(PAGE.matchAll(/^\| (\d+) \|.*\| ([\d,]+) \|$/gm), ([, family = '', count = '']) => [
      family,
      Number(count.replaceAll(',', '')),
    ]);
    expect(rows).toEqual([...FAMILIES]);
    const total = [...FAMILIES.values()].reduce((sum, count) => sum + count, 0);
    expect(PAGE).toContain(total.toLocaleString('en'));
  });

  it('names every spec file there is', () => {
    const files = readdirSync(join(ROOT, 'spec/conformance')).filter((file) => file.endsWith('.spec.ts'));
    expect(files.filter((file) => !PAGE.includes(`\`${file}\``))).toEqual([]);
  });

  it('gives the results of the Autobahn test suite, and the other pages give the same', () => {
    const [, cases, passed, ok, informational] =
      /passed, of (\d+) [\s\S]*?\*\*(\d+)\*\*: (\d+) OK, (\d+) informational/.exec(PAGE) ?? [];
    expect([Number(ok) + Number(informational), cases]).toEqual([Number(passed), passed]);
    for (const page of ['README.md', 'docs/comparison.md']) {
      expect(/^\| .*Autobahn.*$/m.exec(readPage(page))?.[0]).toContain(`${passed} of ${cases}`);
    }
  });

  it('explains each difference to ws that the fuzzer excuses, and no other', () => {
    const [, table = ''] = /what fuzzing has found[^|]*\n((?:\|.*\n)+)/.exec(PAGE) ?? [];
    const named = Array.from(table.matchAll(/^\| ([^|]+) \|/gm), ([, name]) => name).slice(1);
    expect(named).toEqual(differences.map(({ name }) => name));
  });

  it('names no case that there is not', () => {
    const named = PAGE.match(/(?<=`)\d+[.+]\d+(?:\.\d+)?(?=`)/g) ?? [];
    expect(named.length).toBeGreaterThan(10);
    expect(named.filter((id) => !IDS.has(id))).toEqual([]);
  });
});
