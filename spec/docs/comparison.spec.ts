/** The form of the comparison: every cell has a source, and every source its place. What they say is for people. */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { ROOT, readPage } from './blocks.js';

const OWN = 'websocket-route';
const OTHERS = ['ws', 'express-ws', 'socket.io', 'uWebSockets.js', 'Bun', '@fastify/websocket', 'crossws'];

/** The parts of issue 3, by words of the rows that compare them. */
const ROWS = [
  'runs before the 101',
  'refuses with any status',
  'coexists with other',
  'checks `Origin`',
  'typed, on the connection',
  "application's part of the handshake",
  'async open handler',
  'run one after the other',
  'reading pauses',
  'a rejection of an async',
  'an async iterator',
  'web streams',
  'Node streams',
  'delimiters',
  'structs',
  'types of params',
  'types of data',
  'sending tells when to wait',
  'slow client is bounded',
  'happens at that bound',
  'permessage-deflate',
  'heartbeat by default',
  'any byte from the peer',
  'idle timeout',
  'closing handshake',
  'get 503',
  'get 1001',
  'handlers finish first',
  'on a signal',
  'how large a message',
  'connections per route',
  'connections per address or user',
  'messages and bytes per second',
  'why a handshake was refused',
  '`diagnostics_channel`',
  'snapshot of counters',
  'Prometheus',
  'OpenTelemetry',
  'without a port',
  'a refusal in such a test',
  'a clock that tests advance',
  'topics, rooms, broadcast',
  'backplane',
  'resume after a drop',
  'client for browsers',
  'reconnects',
  'HTTP/2',
  'native engine',
];

const page = readPage('docs/comparison.md');

interface Cell {
  /** `Handlers: structs: ws`, to find it by. */
  readonly at: string;
  readonly column: string;
  readonly text: string;
}

/** A line of a table, cut into its cells. */
function cut(line: string): string[] {
  return line
    .slice(1, -1)
    .split('|')
    .map((text) => text.trim());
}

interface Section {
  readonly title: string;
  readonly text: string;
}

/** What stands below each `##`. */
const sections: Section[] = page
  .split(/^## /m)
  .slice(1)
  .map((text) => ({ title: text.slice(0, text.indexOf('\n')), text: text.slice(text.indexOf('\n')) }));

function section(title: string): string {
  const found = sections.find((one) => one.title === title);
  if (found === undefined) throw new Error(`docs/comparison.md has no section "${title}"`);
  return found.text;
}

/** The tables whose head is empty in front of this library. */
const tables = sections
  .map(({ title, text }) => ({ title, lines: text.split('\n').filter((line) => line.startsWith('|')) }))
  .filter(({ lines }) => cut(lines[0] ?? '')[0] === '')
  .filter(({ lines }) => lines.length > 0)
  .map(({ title, lines: [head = '', , ...rows] }) => ({ title, columns: cut(head).slice(1), rows: rows.map(cut) }));

const cells: Cell[] = tables.flatMap(({ title, columns, rows }) =>
  rows.flatMap(([label = '', ...texts]) =>
    texts.map((text, i) => ({ at: `${title}: ${label}: ${columns[i]}`, column: columns[i] ?? '', text })),
  ),
);

function references(text: string): number[] {
  return Array.from(text.matchAll(/\[\[(\d+)\]\]/g), ([, number]) => Number(number));
}

/** The addresses, by the numbers of their references. */
const addresses = Array.from(
  page.matchAll(/^\[(\d+)\]: (\S+)$/gm),
  ([, number, url = '']) => [Number(number), url] as const,
);

/** The entries of the list at the end, by the library that they are listed under. */
const listed = section('Sources')
  .split(/^\*\*/m)
  .slice(1)
  .map((text) => ({
    library: text.slice(0, text.indexOf('**')),
    numbers: Array.from(text.matchAll(/^- \[\[(\d+)\]\] \S/gm), ([, number]) => Number(number)),
  }));

describe('docs/comparison.md', () => {
  it('has several tables, and every library as a column of each', () => {
    expect(tables.length).toBeGreaterThan(5);
    for (const { title, columns } of tables) expect([title, ...columns]).toEqual([title, OWN, ...OTHERS]);
  });

  it('has a cell for every library in every row', () => {
    const ragged = tables.flatMap(({ title, columns, rows }) =>
      rows.filter((row) => row.length !== columns.length + 1).map(([label]) => `${title}: ${label}`),
    );
    expect(ragged).toEqual([]);
  });

  it('has a row for every part', () => {
    const labels = tables.flatMap(({ rows }) => rows.map(([label = '']) => label));
    expect(new Set(labels).size).toBe(labels.length);
    expect(ROWS.filter((words) => labels.filter((label) => label.includes(words)).length !== 1)).toEqual([]);
  });

  it('says something in every cell of another library, and where that comes from', () => {
    const foreign = cells.filter(({ column }) => column !== OWN);
    expect(foreign.length).toBeGreaterThan(300);
    expect(foreign.filter(({ text }) => !/^[\p{L}\d@`].* \[\[\d+\]\]$/u.test(text)).map(({ at }) => at)).toEqual([]);
  });

  it('takes what it says of a library from the sources of that library', () => {
    const strays = cells.flatMap(({ at, column, text }) => {
      const own = listed.find(({ library }) => library.split(/[ ,]/)[0] === column)?.numbers ?? [];
      return references(text)
        .filter((number) => !own.includes(number))
        .map((number) => `${at} [[${number}]]`);
    });
    expect(strays).toEqual([]);
  });

  it('leads from every cell of this library to a page that there is', () => {
    const own = cells.filter(({ column }) => column === OWN);
    const astray = own.filter(({ text }) => {
      const [, file] = /\]\(([\w-]+\.md)(?:#[\w-]+)?\)/.exec(text) ?? [];
      return file === undefined || !existsSync(join(ROOT, 'docs', file));
    });
    expect(astray.map(({ at, text }) => `${at}: ${text}`)).toEqual([]);
  });

  it('lists the sources library by library, numbered from 1', () => {
    expect(listed.map(({ library }) => library.split(/[ ,]/)[0])).toEqual(OTHERS);
    const numbers = listed.flatMap((group) => group.numbers);
    expect(numbers).toEqual(numbers.map((_, i) => i + 1));
  });

  it('defines each source once, and none in vain', () => {
    const numbers = listed.flatMap((group) => group.numbers);
    expect(addresses.map(([number]) => number)).toEqual(numbers);
    const used = new Set(cells.flatMap(({ text }) => references(text)));
    expect(numbers.filter((number) => !used.has(number))).toEqual([]);
    expect([...used].filter((number) => !numbers.includes(number))).toEqual([]);
  });

  it('has a secure and different address for each source', () => {
    const urls = addresses.map(([, url]) => url);
    expect(urls.filter((url) => !/^https:\/\/[\w.-]+\/\S*$/.test(url))).toEqual([]);
    expect(urls.filter((url, i) => urls.indexOf(url) !== i)).toEqual([]);
  });

  it('names the day, and the version of each library', () => {
    const compared = section('What was compared');
    expect(compared).toMatch(/\b20\d\d-\d\d-\d\d\b/);
    const rows = compared.split('\n').filter((line) => line.startsWith('|'));
    const missing = [OWN, ...OTHERS].filter(
      (library) =>
        !rows
          .map(cut)
          .some(
            ([name = '', version = '']) => name.replace(/^\[(.*?)\].*/, '$1') === library && /\d\.\d/.test(version),
          ),
    );
    expect(missing).toEqual([]);
  });

  it('ends with when to take which', () => {
    const advice = section('When to take another one');
    expect(OTHERS.filter((library) => !advice.includes(`- **${library}**: `))).toEqual([]);
    expect(sections.slice(-2).map(({ title }) => title)).toEqual(['When to take another one', 'Sources']);
  });
});
