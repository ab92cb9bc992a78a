import { IncomingMessage } from 'node:http';
import type { Socket } from 'node:net';
import { answerChallenge } from '../../../lib/handshake/draft76/draft76-challenge.js';
import { MemorySocket } from '../../../lib/testing/memory-socket.js';
import { TestClock } from '../../../lib/testing/test-clock.js';
import { setClock } from '../../../lib/transport/clock.js';
import { DRAFT76_HEADERS, turns } from '../../connection/open.js';

const BODY = '^n:ds[4U';
const RESPONSE = "8jKS'y:G*Co,Wxa-";

/** A request with the keys of the draft's own example, and both ends of its socket. */
function asked(key2: string | undefined = DRAFT76_HEADERS['Sec-WebSocket-Key2']) {
  const { client, server } = MemorySocket.pair();
  const clock = new TestClock();
  setClock(server, clock);
  // It has what is asked of a socket here, and is none of Node's class.
  const request = new IncomingMessage(server as unknown as Socket);
  request.headers['sec-websocket-key1'] = DRAFT76_HEADERS['Sec-WebSocket-Key1'];
  if (key2 !== undefined) request.headers['sec-websocket-key2'] = key2;
  return { client, server, clock, request };
}

describe('the challenge of draft-76', () => {
  it('is answered with the response of the draft’s example; what came behind it is given back', async () => {
    const { client, request } = asked();
    expect(await answerChallenge(request, Buffer.from(`${BODY}\0frame\xff`, 'latin1'), 1000)).toEqual(
      Buffer.from('\0frame\xff', 'latin1'),
    );
    await turns(2);
    expect(String(client.read())).toBe(RESPONSE);
  });

  it('may come in pieces', async () => {
    const { client, request } = asked();
    const answered = answerChallenge(request, Buffer.from(BODY.slice(0, 3)), 1000);
    client.write(BODY.slice(3, 5));
    await turns(2);
    client.write(BODY.slice(5));
    expect(await answered).toEqual(Buffer.alloc(0));
    await turns(2);
    expect(String(client.read())).toBe(RESPONSE);
  });

  it('ends the socket where its keys are malformed, or missing', async () => {
    for (const key2 of ['none', '']) {
      const { server, request } = asked(key2);
      expect(await answerChallenge(request, Buffer.from(BODY), 1000)).toBeUndefined();
      expect(server.destroyed).toBe(true);
    }
  });

  it('ends the socket where the eight bytes do not come in time, or the peer has gone', async () => {
    const late = asked();
    const answered = answerChallenge(late.request, Buffer.from('few'), 1000);
    await late.clock.advance(1000);
    expect([await answered, late.server.destroyed]).toEqual([undefined, true]);
    const gone = asked();
    const ended = answerChallenge(gone.request, Buffer.from('few'), 1000);
    gone.client.end();
    expect([await ended, gone.server.destroyed]).toEqual([undefined, true]);
  });
});
