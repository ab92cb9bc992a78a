import { createApp } from '../../demo-app/app.js';
import { serve } from '../support/server.js';
import { clients } from './clients.js';

describe.each(clients)('the echo, with %s', (_name, open) => {
  it('welcomes by the name in the path', async () => {
    const { url } = await serve(createApp());
    const client = await open(`${url}/ws/Ada%20Lovelace`);
    expect(await client.next()).toBe('Hello, Ada Lovelace!');
  });

  it('sends text back as text and bytes as bytes', async () => {
    const { url } = await serve(createApp());
    const client = await open(`${url}/ws/Ada`);
    await client.next();
    client.send('Grüße 🍕');
    client.send(Buffer.from([0, 255, 10]));
    client.send('');
    expect(await client.next()).toBe('Grüße 🍕');
    expect(await client.next()).toEqual(Buffer.from([0, 255, 10]));
    expect(await client.next()).toBe('');
  });

  it('returns the code and the reason of a close', async () => {
    const { url } = await serve(createApp());
    const client = await open(`${url}/ws/Ada`);
    client.close(4000, 'enough of echoes');
    expect(await client.closed).toEqual({ code: 4000, reason: 'enough of echoes' });
  });
});
