import { createApp } from '../../demo-app/app.js';
import { serve } from '../support/server.js';
import { clients } from './clients.js';

describe.each(clients)('the line-oriented service, with %s', (_name, open) => {
  it('answers a line in rot13, and leaves what is no letter', async () => {
    const { url } = await serve(createApp());
    const client = await open(`${url}/lines`);
    client.send('Hello, World! 123 azAZ é\n');
    expect(await client.next()).toBe('Uryyb, Jbeyq! 123 nmNM é');
  });

  it('answers every line of a message, an empty one too', async () => {
    const { url } = await serve(createApp());
    const client = await open(`${url}/lines`);
    client.send('one\n\ntwo\n');
    expect([await client.next(), await client.next(), await client.next()]).toEqual(['bar', '', 'gjb']);
  });

  it('puts together a line that comes in several messages', async () => {
    const { url } = await serve(createApp());
    const client = await open(`${url}/lines`);
    for (const part of ['Hel', 'lo', '\nWor', 'ld\n']) client.send(part);
    expect([await client.next(), await client.next()]).toEqual(['Uryyb', 'Jbeyq']);
  });

  it('closes with a protocol error when bytes come', async () => {
    const { url } = await serve(createApp());
    const client = await open(`${url}/lines`);
    client.send(Buffer.from('Hello\n'));
    expect(await client.closed).toMatchObject({ code: 1002 });
  });
});
