import { readdir } from 'node:fs/promises';
import { createApp } from '../../demo-app/app.js';
import { serve } from '../support/server.js';

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
