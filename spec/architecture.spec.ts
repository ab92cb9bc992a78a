/** The house of `docs/design.md`, held against the imports of `lib/`. */
import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join, normalize, relative } from 'node:path';

const lib = join(__dirname, '..', 'lib');

/** From the top down: a file may import from its own room and from those below. */
const ROOMS = [
  'testing',
  'prometheus',
  'opentelemetry',
  'index',
  'routing',
  'shutdown',
  'handshake',
  'handler',
  'streams',
  'connection',
  'telemetry',
  'transport',
  'dispatch',
  'struct',
  'deflate',
  'framing',
  'memory',
  'errors',
];

/** Files that share the lowest room: errors, what throws them, and what reports and awaits them. */
const SAME_ROOM: Record<string, string> = { 'argument-checks': 'errors', log: 'errors', thenables: 'errors' };

const files = readdirSync(lib, { recursive: true, encoding: 'utf8' }).filter((file) => file.endsWith('.ts'));

function importsOf(file: string): string[] {
  const source = readFileSync(join(lib, file), 'utf8');
  return [...source.matchAll(/(?:^|\s)(?:import|export)\s[^;]*?from '([^']+)'|(?:^|[^.\w])import\('([^']+)'\)/g)].map(
    (match) => match[1] ?? match[2] ?? '',
  );
}

function localImportsOf(file: string): string[] {
  return importsOf(file)
    .filter((name) => name.startsWith('.'))
    .map((name) => normalize(join(dirname(file), name)).replace(/\.js$/, '.ts'));
}

function roomOf(file: string): string {
  const [first = ''] = relative('.', file).split('/');
  const room = first.replace(/\.ts$/, '');
  return SAME_ROOM[room] ?? room;
}

describe('the house', () => {
  it('has every file of lib/ in a room', () => {
    expect(files.filter((file) => !ROOMS.includes(roomOf(file)))).toEqual([]);
  });

  it('imports only what exists, and only downwards', () => {
    const upwards = files.flatMap((file) =>
      localImportsOf(file)
        .filter((target) => !files.includes(target) || ROOMS.indexOf(roomOf(target)) < ROOMS.indexOf(roomOf(file)))
        .map((target) => `${file} -> ${target}`),
    );
    expect(upwards).toEqual([]);
  });

  it('has no cycle of files, types included', () => {
    const done = new Set<string>();
    const cycles: string[] = [];
    const visit = (file: string, path: readonly string[]): void => {
      if (path.includes(file)) cycles.push([...path.slice(path.indexOf(file)), file].join(' -> '));
      if (path.includes(file) || done.has(file)) return;
      for (const target of localImportsOf(file)) visit(target, [...path, file]);
      done.add(file);
    };
    for (const file of files) visit(file, []);
    expect(cycles).toEqual([]);
  });

  it('has no folder with more than a dozen files at one level', () => {
    const sizes = new Map<string, number>();
    for (const file of files) sizes.set(dirname(file), (sizes.get(dirname(file)) ?? 0) + 1);
    expect([...sizes].filter(([, size]) => size > 12)).toEqual([]);
  });

  it('has no file of more than 300 lines without a reason at its top', () => {
    const long = files.filter((file) => {
      const source = readFileSync(join(lib, file), 'utf8');
      return source.split('\n').length > 301 && !source.slice(0, source.indexOf('*/')).includes('more than 300 lines');
    });
    expect(long).toEqual([]);
  });

  it.each([
    ['framing', []],
    ['deflate', ['node:async_hooks', 'node:zlib']],
    ['struct', []],
    ['dispatch', []],
  ])('lets no socket into %s', (room, more) => {
    const allowed = ['node:buffer', 'node:util', ...more];
    const foreign = files
      .filter((file) => roomOf(file) === room)
      .flatMap((file) => importsOf(file).filter((name) => !name.startsWith('.') && !allowed.includes(name)));
    expect(foreign).toEqual([]);
  });

  it('depends at run time on what package.json says, and on Node', () => {
    const manifest = JSON.parse(readFileSync(join(lib, '..', 'package.json'), 'utf8')) as {
      dependencies: Record<string, string>;
      peerDependencies: Record<string, string>;
    };
    const { dependencies, peerDependencies } = manifest;
    const names = files.flatMap(importsOf).filter((name) => !name.startsWith('.') && !name.startsWith('node:'));
    expect([...new Set(names)].sort()).toEqual(Object.keys({ ...dependencies, ...peerDependencies }).sort());
  });
});
