import { once } from 'node:events';
import { serve } from '../support/server.js';
import { program, serverOf } from './blocks.js';
import { closed, connect, refused } from './client.js';

const PAGE = 'docs/tutorial.md';
const step = (name: string) => serve(serverOf(program(PAGE, name)));

describe('docs/tutorial.md', () => {
  it('step 2 answers whole messages, and leaves other paths to Express', async () => {
    const { url } = await step('step2.mjs');
    const { socket, messages } = await connect(`${url}/notes`);
    socket.send('hello\n');
    expect(await messages.next()).toBe('you sent "hello\\n"');
    await expect(refused(`${url}/other`)).toBeRefusedWith(404);
  });

  it('step 3 reads lines, takes the param from the path, and closes on binary data', async () => {
    const { url } = await step('step3.mjs');
    const client = await connect(`${url}/notes/garden`);
    for (const part of ['li', 'st\nget x', '\nfly\n']) client.socket.send(part);
    expect(await client.messages.take(4)).toEqual([
      'notebook garden: 0 notes',
      '(empty)',
      'no note x',
      'unknown command fly',
    ]);
    client.socket.send(Buffer.from('list\n'));
    expect(await closed(client)).toBe(1002);
  });

  it('step 4 reads a header, then a body', async () => {
    const { url } = await step('step4.mjs');
    const client = await connect(`${url}/notes/garden`);
    for (const line of ['put seeds 12\n', 'peas\n', 'carrots\n', 'get seeds\n']) client.socket.send(line);
    expect(await client.messages.take(4)).toEqual([
      'notebook garden: 0 notes',
      'kept seeds',
      'usage: list | get <title> | put <title> <length, 1 to 10000>',
      'peas\ncarrots',
    ]);
    const log = jest.spyOn(console, 'error').mockImplementation();
    client.socket.send('put half 1.5\n');
    expect(await closed(client)).toBe(1011);
    expect(log).toHaveBeenCalledTimes(1);
    log.mockRestore();
  });

  describe.each(['notes.mjs', 'notes.mts'])('%s', (name) => {
    async function logIn(httpUrl: string): Promise<string> {
      const response = await fetch(`${httpUrl}/login/ada`, { method: 'POST' });
      expect(await response.text()).toBe('Welcome, ada.\n');
      return response.headers.get('set-cookie')?.split(';')[0] ?? '';
    }

    it('refuses a client that has no session, in its own words', async () => {
      const { url } = await step(name);
      expect(await refused(`${url}/notes/garden`)).toEqual({ status: 401, body: 'Log in first: POST /login/<name>\n' });
    });

    it('keeps notes for one that has', async () => {
      const { url, httpUrl } = await step(name);
      const options = { headers: { cookie: await logIn(httpUrl) } };
      const client = await connect(`${url}/notes/garden`, options);
      expect(client.headers['x-service']).toBe('notes');
      expect(await client.messages.next()).toBe('notebook garden of ada: 0 notes');
      for (const part of ['put see', 'ds 12\npeas', '\ncarrotsput x 1.5\nlist\n']) client.socket.send(part);
      expect(await client.messages.take(3)).toEqual(['kept seeds', 'a length is an integer from 1 to 10000', 'seeds']);
      client.socket.send('quit\n');
      expect(await once(client.socket, 'close')).toEqual([1000, Buffer.from('bye')]);

      const again = await connect(`${url}/notes/garden`, options);
      expect(await again.messages.next()).toBe('notebook garden of ada: 1 notes');
      again.socket.send('get seeds\n');
      expect(await again.messages.next()).toBe('peas\ncarrots');
    });

    it('bounds a command, and not a body that was announced', async () => {
      const { url, httpUrl } = await step(name);
      const client = await connect(`${url}/notes/garden`, { headers: { cookie: await logIn(httpUrl) } });
      client.socket.send(`put long 5000\n${'x'.repeat(5000)}`);
      expect(await client.messages.take(2)).toEqual(['notebook garden of ada: 0 notes', 'kept long']);
      const log = jest.spyOn(console, 'warn').mockImplementation();
      client.socket.send('x'.repeat(1025));
      expect(await closed(client)).toBe(1009);
      log.mockRestore();
    });
  });
});
