import { Struct } from 'websocket-route';
import { createApp } from '../../demo-app/app.js';
import { serve } from '../support/server.js';
import { type Client, clients } from './clients.js';

const record = new Struct('!ILH');
const summary = new Struct('!IHLLLd');
const [READING, SUMMARY] = [1, 2];

async function nextBytes(client: Client): Promise<Buffer> {
  const data = await client.next();
  if (typeof data === 'string') throw new Error(`bytes were expected, and text came: ${data}`);
  return data;
}

describe.each(clients)('the telemetry, with %s', (_name, open) => {
  it('reports each new maximum of a sensor, and nothing else', async () => {
    const { url } = await serve(createApp());
    const client = await open(`${url}/telemetry`);
    for (const value of [2015, 1980, 2015, 2240]) client.send(record.pack(READING, value, 7));
    client.send(record.pack(READING, 5, 8));
    expect(record.unpack(await nextBytes(client))).toEqual([READING, 2015, 7]);
    expect(record.unpack(await nextBytes(client))).toEqual([READING, 2240, 7]);
    expect(record.unpack(await nextBytes(client))).toEqual([READING, 5, 8]);
  });

  it('takes several records from one message', async () => {
    const { url } = await serve(createApp());
    const client = await open(`${url}/telemetry`);
    client.send(
      Buffer.concat([record.pack(READING, 300, 7), record.pack(READING, 100, 7), record.pack(SUMMARY, 0, 7)]),
    );
    expect(record.unpack(await nextBytes(client))).toEqual([READING, 300, 7]);
    expect(summary.unpack(await nextBytes(client))).toEqual([SUMMARY, 7, 2, 100, 300, 200]);
  });

  it('puts together records that are split across messages', async () => {
    const { url } = await serve(createApp());
    const client = await open(`${url}/telemetry`);
    const bytes = Buffer.concat([record.pack(READING, 100_000, 0xffff), record.pack(SUMMARY, 0, 0xffff)]);
    for (let at = 0; at < bytes.length; at += 3) client.send(bytes.subarray(at, at + 3));
    expect(record.unpack(await nextBytes(client))).toEqual([READING, 100_000, 0xffff]);
    expect(summary.unpack(await nextBytes(client))).toEqual([SUMMARY, 0xffff, 1, 100_000, 100_000, 100_000]);
  });

  it('knows the sensors of each connection apart', async () => {
    const { url } = await serve(createApp());
    const [first, second] = [await open(`${url}/telemetry`), await open(`${url}/telemetry`)];
    first.send(record.pack(READING, 300, 7));
    await first.next();
    second.send(record.pack(READING, 100, 7));
    expect(record.unpack(await nextBytes(second))).toEqual([READING, 100, 7]);
  });

  it.each([
    ['a packet type it does not know', record.pack(9, 0, 7), 'there is no packet type 9'],
    // Which is what -5 degrees become without a sign.
    ['a reading out of range', record.pack(READING, 2 ** 32 - 500, 7), 'a reading of 4294966796 is more than 100000'],
    ['a summary of a sensor without readings', record.pack(SUMMARY, 0, 7), 'sensor 7 has no readings'],
  ])('closes for %s', async (_what, bytes, reason) => {
    const { url } = await serve(createApp());
    const client = await open(`${url}/telemetry`);
    client.send(bytes);
    expect(await client.closed).toEqual({ code: 1008, reason });
  });

  it('closes with a protocol error when text comes', async () => {
    const { url } = await serve(createApp());
    const client = await open(`${url}/telemetry`);
    client.send('0123456789');
    expect(await client.closed).toMatchObject({ code: 1002 });
  });
});
