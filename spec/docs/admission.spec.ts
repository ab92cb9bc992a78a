import express from 'express';
import jwt from 'jsonwebtoken';
import { metrics, Opcode, websocketRoute } from '../../lib/index.js';
import { clientFrame, connect as connectInMemory } from '../../lib/testing/index.js';
import { TestClock } from '../../lib/testing/test-clock.js';
import { setClock } from '../../lib/transport/clock.js';
import { turns } from '../connection/open.js';
import { serve } from '../support/server.js';
import { recipe } from './blocks.js';
import { type Client, connect, refused } from './client.js';

const PAGE = 'docs/admission.md';

describe('docs/admission.md', () => {
  it('takes twenty connections of one address, by what the proxy says', async () => {
    const { url } = await serve(recipe(PAGE, 'class Chat'));
    const headers = { 'X-Forwarded-For': '192.0.2.1' };
    const clients: Client[] = [];
    for (let i = 0; i < 20; i++) clients.push(await connect(`${url}/chat/a`, { headers }));
    expect(await refused(`${url}/chat/b`, { headers })).toMatchObject({ status: 429 });
    const other = await connect(`${url}/chat/a`, { headers: { 'X-Forwarded-For': '192.0.2.2' } });
    for (const { socket } of [...clients, other]) socket.close();
  });

  it('takes five connections of one user, by the session', async () => {
    const { url, httpUrl } = await serve(recipe(PAGE, 'class Inbox'));
    const login = async (user: string): Promise<Record<string, string>> => {
      const { headers } = await fetch(`${httpUrl}/login/${user}`, { method: 'POST' });
      return { Cookie: headers.getSetCookie().join('; ') };
    };
    await expect(refused(`${url}/inbox`)).toBeRefusedWith(401);
    const clients: Client[] = [];
    // Each from another browser.
    for (let i = 0; i < 5; i++) clients.push(await connect(`${url}/inbox`, { headers: await login('ada') }));
    await expect(refused(`${url}/inbox`, { headers: await login('ada') })).toBeRefusedWith(429);
    clients.push(await connect(`${url}/inbox`, { headers: await login('bob') }));
    await expect(refused(`${url}/inbox`)).toBeRefusedWith(401);
    for (const { socket } of clients) socket.close();
  });

  it('takes two connections of one user, by the token', async () => {
    // As in the documentation of every framework: the middleware belongs to a path.
    const { url } = await serve(recipe(PAGE, 'class Feed'));
    const bearer = (sub: string, secret = 'change me: 32 random bytes'): Record<string, string> => ({
      Authorization: `Bearer ${jwt.sign({ sub }, secret)}`,
    });
    const clients: Client[] = [];
    for (let i = 0; i < 2; i++) clients.push(await connect(`${url}/feed`, { headers: bearer('ada') }));
    await expect(refused(`${url}/feed`, { headers: bearer('ada') })).toBeRefusedWith(429);
    await expect(refused(`${url}/feed`, { headers: bearer('ada', 'forged') })).toBeRefusedWith(401);
    await expect(refused(`${url}/feed`)).toBeRefusedWith(401);
    clients.push(await connect(`${url}/feed`, { headers: bearer('bob') }));
    for (const { socket } of clients) socket.close();
  });

  it.each([
    ['messages', { messages: 5 }, 0],
    ['bytes', { bytes: 500 }, 1],
  ])('counts no empty frames as messages, and all as bytes: a rate of %s', async (name, rate, throttled) => {
    const client = await connectInMemory(websocketRoute(`/rate-of-${name}`, {}, { rate }), `/rate-of-${name}`);
    const empty = clientFrame({ opcode: Opcode.Continuation, payload: '', fin: false });
    const text = clientFrame({ opcode: Opcode.Text, payload: 'a', fin: false });
    client.sendRaw(Buffer.concat([text, ...Array<Buffer>(200).fill(empty)]));
    await client.clock.advance(0);
    expect(metrics().routes[`/rate-of-${name}`]?.throttled).toBe(throttled);
  });

  it.each([Opcode.Ping, Opcode.Pong])('counts a frame of opcode %d as a message', async (opcode) => {
    const path = `/control/${opcode}`;
    const client = await connectInMemory(websocketRoute(path, {}, { rate: { messages: 5 } }), path);
    for (let i = 0; i < 6; i++) client.sendRaw(clientFrame({ opcode, payload: '' }));
    await client.clock.advance(0);
    expect(metrics().routes[path]?.throttled).toBe(1);
  });

  it('slows down whoever moves too fast: 200 moves at once take 8 seconds', async () => {
    const app = express();
    app.use(recipe(PAGE, 'class Game'));
    const { url, server } = await serve(app);
    const clock = new TestClock();
    server.on('connection', (socket) => setClock(socket, clock));
    const { socket, messages } = await connect(`${url}/game`);
    for (let i = 0; i < 200; i++) socket.send(String(i));
    const heard: string[] = [];
    for (let i = 0; i <= 40; i++) heard.push(String(await messages.next()));
    await turns(10);
    expect(messages.left).toEqual([]);
    while (heard.length < 200) {
      if (messages.left.length > 0) heard.push(String(await messages.next()));
      else await clock.advance(50);
    }
    expect(heard).toEqual(Array.from({ length: 200 }, (_, i) => String(i)));
    expect(clock.now()).toBeGreaterThan(7900);
    expect(clock.now()).toBeLessThan(9000);
    expect(metrics().routes['/game']?.throttled).toBe(1);
    socket.close();
  });
});
