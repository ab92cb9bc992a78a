import { createApp } from '../../demo-app/app.js';
import { serve } from '../support/server.js';
import { clients } from './clients.js';

describe.each(clients)('the RPC socket, with %s', (_name, open) => {
  async function call(message: string | Uint8Array): Promise<unknown> {
    const { url } = await serve(createApp());
    const client = await open(`${url}/rpc`);
    client.send(message);
    return JSON.parse(String(await client.next()));
  }

  it('calls a method with its arguments', async () => {
    expect(await call('{"method": "rot13", "args": ["test"]}')).toEqual({ ok: true, result: 'grfg' });
    expect(await call('{"method": "sum", "args": [1, 2, 3.5]}')).toEqual({ ok: true, result: 6.5 });
  });

  it('takes JSON in bytes as well', async () => {
    expect(await call(Buffer.from('{"method": "rot13", "args": ["ü"]}'))).toEqual({ ok: true, result: 'ü' });
  });

  it('calls without arguments when there are none', async () => {
    expect(await call('{"method": "sum"}')).toEqual({ ok: true, result: 0 });
  });

  it('says when it cannot decode JSON', async () => {
    expect(await call('{"method": ')).toEqual({ ok: false, result: "can't decode JSON" });
  });

  it.each(['"division"', '"__proto__"', '"constructor"', '"toString"', '["rot13"]', 'null'])(
    'has no method %s',
    async (method) => {
      expect(await call(`{"method": ${method}, "args": ["test"]}`)).toEqual({ ok: false, result: 'no such method' });
    },
  );

  it.each(['null', '7', '"rot13"', '[]', '{}'])('finds no method in %s, which is no call', async (json) => {
    expect(await call(json)).toEqual({ ok: false, result: 'no such method' });
  });

  it('answers with the error of a method that fails', async () => {
    expect(await call('{"method": "rot13", "args": [13]}')).toEqual({ ok: false, result: 'rot13 takes a string' });
    expect(await call('{"method": "sum", "args": [1, "2"]}')).toEqual({ ok: false, result: 'sum takes numbers' });
  });

  it('answers in the order of the calls, and goes on after an error', async () => {
    const { url } = await serve(createApp());
    const client = await open(`${url}/rpc`);
    client.send('nonsense');
    client.send('{"method": "sum", "args": [1, 2]}');
    expect([await client.next(), await client.next()]).toEqual([
      '{"ok":false,"result":"can\'t decode JSON"}',
      '{"ok":true,"result":3}',
    ]);
  });
});
