import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { createApp } from '../../demo-app/app.js';
import { RawClient } from '../support/raw-client.js';
import { serve } from '../support/server.js';
import { clients } from './clients.js';

describe.each(clients)('the download, with %s', (_name, open) => {
  it('announces a file, sends it as one binary message, and hangs up', async () => {
    const { url } = await serve(createApp());
    const client = await open(`${url}/files/package.json`);
    const announced: unknown = JSON.parse(String(await client.next()));
    const data = await client.next();
    expect(data).toEqual(await readFile('package.json'));
    expect(announced).toEqual({ size: data.length, sha256: createHash('sha256').update(data).digest('hex') });
    expect(await client.closed).toMatchObject({ code: 1000 });
  });

  it('sends some MiB of a large file', async () => {
    const { url } = await serve(createApp());
    const client = await open(`${url}/files/node`);
    const announced: unknown = JSON.parse(String(await client.next()));
    const data = await client.next();
    expect(announced).toEqual({ size: data.length, sha256: createHash('sha256').update(data).digest('hex') });
  });
});

describe('the names of downloads', () => {
  it.each(['app.ts', '..%2fpackage.json', '%2e%2e%2f%2e%2e%2fetc%2fpasswd', '%2fetc%2fpasswd', '__proto__', 'node%00'])(
    'refuses %s with 404',
    async (name) => {
      const client = await RawClient.connect(await serve(createApp()));
      await expect(client.handshake(`/files/${name}`)).toBeRefusedWith(404);
    },
  );
});
