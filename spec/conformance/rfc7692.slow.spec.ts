/** RFC 7692 sections 6 and 7.2 over a real socket, on a route that compresses everything and takes the context over. */
import { WebSocketHandler, websocketRoute } from '../../lib/index.js';
import { text } from '../support/frames.js';
import { RawClient } from '../support/raw-client.js';
import { serve } from '../support/server.js';
import { DeflateClient } from './deflate-client.js';
import { compression } from './rfc7692.js';
import { expectFrame, playAll } from './runner.js';
import { StrictClient } from './strict-client.js';

const compress = { threshold: 0, serverNoContextTakeover: false, clientNoContextTakeover: false };

describe('12 compression', () => {
  playAll(compression, { compress });
});

describe('12 what the server compresses', () => {
  class Answers extends WebSocketHandler {
    override onRead(data: string | Buffer): void {
      this.write(data);
      this.write(data, { compress: false });
      this.write(data);
    }
  }

  it.each([true, false])(
    'is told by RSV1 in the first frame of each message; context takeover: %p',
    async (takeover) => {
      const server = await serve(
        websocketRoute(Answers, { compress: { ...compress, serverNoContextTakeover: !takeover } }),
      );
      const client = await DeflateClient.openWith(server, '/', 'permessage-deflate');
      const frames: Buffer[] = [];
      await client.write(text('Hello, Hello, Hello'));
      const strict = new StrictClient(client.raw);
      for (const rsv of [4, 0, 4]) {
        const one = await strict.next();
        expect({ ...one, payload: '' }).toEqual({ opcode: 1, fin: true, rsv, masked: false, payload: '' });
        frames.push(one.payload);
      }
      expect(frames[1]).toEqual(Buffer.from('Hello, Hello, Hello'));
      // With reference to the first the third is shorter; without, it is the same.
      if (takeover) expect(frames[2]!.length).toBeLessThan(frames[0]!.length);
      else expect(frames[2]).toEqual(frames[0]);
    },
  );

  it('is nothing for a client that has offered nothing', async () => {
    const server = await serve(websocketRoute(Answers, { compress }));
    const client = new StrictClient(await RawClient.open(server));
    await client.write(text('Hello'));
    for (let i = 0; i < 3; i++) expectFrame(await client.next(), { opcode: 1, payload: Buffer.from('Hello') });
  });
});
