/** RFC 7692 sections 5 and 7.1 over a real socket: each offer, what is answered, and that both ends then keep to it. */
import { binary, frame, text } from '../support/frames.js';
import { RawClient } from '../support/raw-client.js';
import { compressedFrames, DeflateClient } from './deflate-client.js';
import { negotiation } from './rfc7692-negotiation.js';
import { echoServer, expectFrame, expectGoodbye } from './runner.js';
import { StrictClient } from './strict-client.js';
import { bytesOf, textOf } from './table.js';

describe('11 negotiation', () => {
  it.each(negotiation.map((one) => [one.id, one.section, one.does, one] as const))(
    '%s %s: %s',
    async (_id, _section, _does, { compress, offer, agreed }) => {
      const server = await echoServer({ compress });
      const raw = await RawClient.connect(server);
      const { status, headers } = await raw.handshake('/echo', { 'Sec-WebSocket-Extensions': offer });
      expect(status).toBe(agreed === 400 ? 400 : 101);
      const response = headers['sec-websocket-extensions'];
      if (agreed === 400 || agreed === undefined) {
        expect(response).toBeUndefined();
        if (agreed === undefined) await knowsNoCompression(new StrictClient(raw));
        return;
      }
      expect(String(response).split('; ').sort()).toEqual(['permessage-deflate', ...agreed].sort());
      await echoes(new DeflateClient(raw, String(response)));
    },
  );
});

/** As after any other handshake; and a compressed message is a mistake. */
async function knowsNoCompression(client: StrictClient): Promise<void> {
  await client.write(text('plain'));
  expectFrame(await client.next(), { opcode: 1, payload: Buffer.from('plain') });
  await client.write(frame({ opcode: 1, rsv: 4, payload: Buffer.of(0) }));
  expectGoodbye(await client.next(), { code: 1002 });
  await client.over();
}

/** Compressed and plain messages, in one write. */
async function echoes(client: DeflateClient): Promise<void> {
  const messages = [textOf(2000), 'Hello', textOf(2000)].map((one) => Buffer.from(one));
  const sent = messages.map((message) => compressedFrames(1, client.deflater.message(message)));
  await client.write(Buffer.concat([...sent, binary(bytesOf(3000)), text('plain'), frame({ opcode: 8 })]));
  for (const payload of messages) expectFrame(await client.next(), { opcode: 1, payload });
  expectFrame(await client.next(), { opcode: 2, payload: bytesOf(3000) });
  expectFrame(await client.next(), { opcode: 1, payload: Buffer.from('plain') });
  expect(client.compressed).toBeGreaterThanOrEqual(2);
  expectGoodbye(await client.next(), { code: 1005 });
  await client.over();
}
