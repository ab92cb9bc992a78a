import { execFile } from 'node:child_process';
import { mkdtemp, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import express from 'express';
import { resolveOptions } from '../../lib/handler/options/options.js';
import * as library from '../../lib/index.js';
import { processLog } from '../../lib/log.js';
import { allPages, type Block, blocksOf, compile, namesTakenForGranted, ROOT, readPage, run } from './blocks.js';

const blocks = allPages().flatMap(blocksOf);
const recipes = blocksOf('docs/how-to.md');

/** The names that `lib/index.ts` exports, and which of them are types. */
async function publicNames(): Promise<{ name: string; isType: boolean }[]> {
  const source = await readFile(join(ROOT, 'lib/index.ts'), 'utf8');
  return Array.from(source.matchAll(/export (type )?\{(.*?)\}/gs), ([, type, list = '']) =>
    list
      .split(',')
      .map((item) => item.trim())
      .filter((item) => item !== '')
      .map((item) => ({ name: item.replace('type ', ''), isType: type !== undefined || item.startsWith('type ') })),
  ).flat();
}

/** A default as the tables show it. */
function shown(value: unknown): string {
  if (value instanceof library.Limits) return 'one for all routes';
  if (value === processLog) return 'that of the process';
  if (Number.isFinite(value)) return Number(value).toLocaleString('en');
  if (typeof value === 'object' && value !== null && Object.keys(value).length === 0 && !Array.isArray(value))
    return '{}';
  return String(value);
}

/** Whether a page has the name as code. */
function names(page: string, name: string): boolean {
  return new RegExp(`\`[^\`\n]*(?<![\\w$])${name}(?![\\w$])[^\`\n]*\``).test(page);
}

describe('the blocks of README.md and docs/', () => {
  it('are found', () => {
    expect(allPages()).toContain('docs/reference.md');
    expect(recipes.length).toBeGreaterThan(30);
  });

  it.each(blocks.map((block) => [block.at, block] as const))('%s compiles', (_at, block) => {
    expect(() => compile(block)).not.toThrow();
  });

  // A tutorial's programs take up to each other and the pages of tests want a test runner. Vite is an ES module, which jest
  // cannot load, and Next.js is not installed: it would be larger than everything else. The primary of a cluster starts workers,
  // and what listens to messages of a parent process does not end.
  const pages = allPages().filter((page) => !['docs/tutorial.md', 'docs/testing.md'].includes(page));
  const loadable = pages
    .flatMap(blocksOf)
    .filter(({ code }) => !/from '(vite|next|node:cluster)'|process\.on\('message'/.test(code));
  it.each(loadable.map((block) => [block.at, block] as const))('%s loads', (_at, block) => {
    const { exports } = run(block, namesTakenForGranted(express()));
    // An exporter goes on until it is told to stop.
    if (typeof exports['stop'] === 'function') exports['stop']();
  });

  it('the blocks of the recipes and the reference pass the compiler', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'websocket-route-docs-'));
    try {
      await symlink(join(ROOT, 'node_modules'), join(folder, 'node_modules'));
      const written = await Promise.all([
        writeTsconfig(folder),
        writeFile(join(folder, 'globals.d.ts'), await globals()),
        ...blocks.filter(({ language }) => language === 'ts').map((block) => writeBlock(folder, block)),
      ]);
      expect(written.length).toBeGreaterThan(30);
      const tsc = join(ROOT, 'node_modules/typescript/bin/tsc');
      const checked = promisify(execFile)(process.execPath, [tsc, '-p', folder], { cwd: folder });
      expect(await checked.catch((error: { stdout: string }) => error)).toMatchObject({ stdout: '' });
    } finally {
      await rm(folder, { recursive: true });
    }
  }, 60_000);
});

async function writeBlock(folder: string, { at, code }: Block): Promise<void> {
  // Lines as in the page, so that the compiler's complaints lead there.
  const before = '\n'.repeat(Number(at.split(':')[1]));
  await writeFile(join(folder, `${at.replaceAll(/[/:]/g, '-')}.ts`), `${before}${code}\nexport {};\n`);
}

async function writeTsconfig(folder: string): Promise<void> {
  const compilerOptions = {
    target: 'es2023',
    lib: ['es2023', 'es2024.string'],
    module: 'nodenext',
    noEmit: true,
    strict: true,
    noUncheckedIndexedAccess: true,
    skipLibCheck: true,
    types: ['node', 'jest'],
    paths: { 'websocket-route': [join(ROOT, 'lib/index.ts')], 'websocket-route/*': [join(ROOT, 'lib/*/index.ts')] },
  };
  await writeFile(join(folder, 'tsconfig.json'), JSON.stringify({ compilerOptions, include: ['*.ts'] }));
  await writeFile(join(folder, 'package.json'), '{ "type": "module" }');
}

/** What recipes take for granted: `express`, `app`, every public name, and on the page about tests `connect`. */
async function globals(): Promise<string> {
  const all = await publicNames();
  const values = all.filter(({ isType }) => !isType).map(({ name }) => name);
  const plain = ['HookName', 'Refusal', 'ResponseHeaders', 'Delimiter', 'OverflowError', 'WebSocketHandler'];
  return `
    declare global {
      const express: typeof import('express').default;
      const app: import('express').Express;
      const connect: typeof import('websocket-route/testing').connect;
      ${values.map((name) => `const ${name}: typeof import('websocket-route').${name};`).join('\n')}
      ${plain.map((name) => `type ${name} = import('websocket-route').${name};`).join('\n')}
    }
    export {};`;
}

describe('docs/reference.md', () => {
  const page = readPage('docs/reference.md');

  it('has every public name', async () => {
    const all = await publicNames();
    expect(all.filter(({ isType }) => !isType).map(({ name }) => name)).toEqual(
      expect.arrayContaining(Object.keys(library)),
    );
    expect(all.length).toBeGreaterThan(40);
    expect(all.map(({ name }) => name).filter((name) => !names(page, name))).toEqual([]);
  });

  it.each(['testing', 'prometheus', 'opentelemetry'])('has every name of websocket-route/%s', async (subpath) => {
    const exported: object = await import(`../../lib/${subpath}/index.js`);
    expect(Object.keys(exported).filter((name) => !names(page, name))).toEqual([]);
    expect(Object.keys(exported).length).toBeGreaterThan(0);
  });

  it('has every option, with its default', () => {
    const defaults = resolveOptions({});
    const missing = Object.entries(defaults).filter(([name, value]) => {
      const row = page.split('\n').find((line) => line.startsWith(`| \`${name}\` |`)) ?? '';
      return row === '' || !row.includes(shown(value));
    });
    expect(missing).toEqual([]);
    for (const name of ['convert', 'caseSensitive', 'strict']) expect(page).toContain(`| \`${name}\` |`);
  });

  it('has every hook and every member of a handler', () => {
    const { constructor: _, ...members } = Object.getOwnPropertyDescriptors(library.WebSocketHandler.prototype);
    expect(Object.keys(members)).toEqual(expect.arrayContaining(['onHandshake', 'onRead', 'write', 'readDelimiter']));
    expect(Object.keys(members).filter((name) => !names(page, name))).toEqual([]);
  });

  it('has every member of a struct', () => {
    for (const { prototype } of [library.Struct, library.NetStruct]) {
      const {
        constructor: _,
        measure: _internal,
        ...members
      } = Object.getOwnPropertyDescriptors(prototype) as Record<string, PropertyDescriptor>;
      expect(Object.keys(members).filter((name) => !names(page, name))).toEqual([]);
    }
  });

  it('has every error code with its key, and none that there is not', () => {
    const rows = Array.from(page.matchAll(/^\| `([A-Z_]+)` \| `(ERR_WS_[A-Z_]+)` \|/gm), ([, key, code]) => [
      key,
      code,
    ]);
    expect(Object.fromEntries(rows)).toEqual(library.ErrorCode);
    const named = new Set(allPages().flatMap((name) => readPage(name).match(/ERR_WS_\w*[A-Z]/g) ?? []));
    expect([...named].filter((code) => !Object.values<string>(library.ErrorCode).includes(code))).toEqual([]);
  });

  it('has every close code by name and number, and every opcode', () => {
    for (const [name, code] of Object.entries(library.CloseCode)) expect(page).toContain(`| ${code} | \`${name}\` |`);
    for (const name of Object.keys(library.Opcode)) expect(names(page, name)).toBe(true);
  });
});

describe('links', () => {
  it.each(allPages())('the links of %s lead somewhere', (page) => {
    const folder = page.includes('/') ? 'docs/' : '';
    const links = Array.from(readPage(page).matchAll(/\]\(([^)\s]+)\)/g), ([, link = '']) => link);
    const broken = links.filter((link) => {
      if (link.startsWith('https://')) return false;
      const [file = '', anchor] = link.split('#');
      const target = file === '' ? page : `${folder}${file}`;
      const text = (() => {
        try {
          return readPage(target);
        } catch {
          return undefined;
        }
      })();
      return text === undefined || (anchor !== undefined && !anchors(text).has(anchor));
    });
    expect(broken).toEqual([]);
  });
});

/** As GitHub makes them of headings. */
function anchors(text: string): Set<string> {
  const headings = Array.from(text.matchAll(/^#+ (.*)$/gm), ([, heading = '']) => heading);
  return new Set(
    headings.map((heading) =>
      heading
        .toLowerCase()
        .replaceAll(/[^\p{L}\p{N} _-]/gu, '')
        .replaceAll(' ', '-'),
    ),
  );
}
