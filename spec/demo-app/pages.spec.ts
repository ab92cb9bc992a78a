import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { createApp } from '../../demo-app/app.js';
import { type Built, build } from '../support/built.js';
import { serve } from '../support/server.js';

describe('each page', () => {
  it('shows the source of the handler that it talks to', async () => {
    const { httpUrl } = await serve(createApp());
    const pages = (await readdir('demo-app/public')).filter((name) => name.endsWith('.html') && name !== 'index.html');
    const shown: string[] = [];
    for (const page of pages) {
      const [, path = ''] = /<pre data-source="([^"]+)"/.exec(await readFile(`demo-app/public/${page}`, 'utf8')) ?? [];
      const response = await fetch(`${httpUrl}/${path}`);
      expect(response.headers.get('content-type')).toBe('text/plain; charset=utf-8');
      expect(await response.text()).toBe(await readFile(`demo-app/${path}`, 'utf8'));
      shown.push(path);
    }
    const handlers = await readdir('demo-app/handlers');
    expect(shown.toSorted()).toEqual(handlers.map((name) => `handlers/${name}`).toSorted());
  });
});

describe('the server', () => {
  let built: Built;
  beforeAll(async () => {
    built = await build();
    const tsc = [
      'node_modules/typescript/bin/tsc',
      '-p',
      'demo-app',
      '--noCheck',
      '--outDir',
      join(built.folder, 'demo'),
    ];
    await promisify(execFile)(process.execPath, tsc);
  });
  afterAll(() => built.remove());

  it.each([
    [{}, 'http://127.0.0.1:'],
    [{ HOST: '127.0.0.2' }, 'http://127.0.0.2:'],
  ])('the server with %p prints the address to open', async (env, start) => {
    const { HOST: _, ...inherited } = process.env;
    const child = spawn(process.execPath, [join(built.folder, 'demo', 'server.js')], {
      env: { ...inherited, ...env, PORT: '0' },
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    const ended = once(child, 'close');
    try {
      const url = String((await once(child.stdout, 'data'))[0]).trim();
      expect([url.startsWith(start), (await fetch(url)).status]).toEqual([true, 200]);
    } finally {
      child.kill();
      await ended;
    }
  });
});

describe('the index page', () => {
  it('links every page there is', async () => {
    const { httpUrl } = await serve(createApp());
    const index = await (await fetch(`${httpUrl}/`)).text();
    const linked = [...index.matchAll(/href="([a-z]+\.html)"/g)].map(([, page]) => page);
    const pages = (await readdir('demo-app/public')).filter((name) => name.endsWith('.html') && name !== 'index.html');
    expect(linked.toSorted()).toEqual(pages.toSorted());
    for (const page of pages) expect((await fetch(`${httpUrl}/${page}`)).status).toBe(200);
  });
});
