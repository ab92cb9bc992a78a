import { createApp } from '../../demo-app/app.js';
import { RawClient } from '../support/raw-client.js';
import { serve } from '../support/server.js';
import { clients } from './clients.js';

describe.each(clients)('the ping, with %s', (_name, open) => {
  it('reports the round-trip time as many times as the path says, then closes', async () => {
    const { url } = await serve(createApp());
    const client = await open(`${url}/ping/3`);
    for (const left of [2, 1, 0]) {
      const answer: unknown = JSON.parse(String(await client.next()));
      expect(answer).toEqual({ left, roundTripTime: expect.any(Number) });
      expect(answer).not.toMatchObject({ roundTripTime: 0 });
    }
    expect(await client.closed).toEqual({ code: 1000, reason: 'pinged out' });
  });
});

describe('the number of pings', () => {
  it.each(['0', '-1', '101', '2.5', 'many'])('refuses %s with 404', async (times) => {
    const client = await RawClient.connect(await serve(createApp()));
    await expect(client.handshake(`/ping/${times}`)).toBeRefusedWith(404);
  });

  it.each(['1', '100'])('takes %s', async (times) => {
    const client = await RawClient.connect(await serve(createApp()));
    await expect(client.handshake(`/ping/${times}`)).toBeAccepted();
  });
});
