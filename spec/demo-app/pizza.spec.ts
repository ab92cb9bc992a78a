import express from 'express';
import { websocketRoute } from 'websocket-route';
import { WebSocket } from 'ws';
import { createApp } from '../../demo-app/app.js';
import { PizzaSocket } from '../../demo-app/handlers/pizza.js';
import { pizzaLogin } from '../../demo-app/pizza-login.js';
import { RawClient } from '../support/raw-client.js';
import { type Running, serve } from '../support/server.js';

async function post(server: Running, path: string, headers: Record<string, string>, body = ''): Promise<Response> {
  return fetch(`${server.httpUrl}${path}`, {
    method: 'POST',
    headers: { 'Content-Type': 'application/x-www-form-urlencoded', ...headers },
    body,
    redirect: 'manual',
  });
}

/** Logs in and returns the cookie, as it is to be sent back. */
async function logIn(server: Running): Promise<string> {
  const response = await post(server, '/pizza/login', {}, 'topping=basil');
  return response.headers.getSetCookie()[0]?.split(';')[0] ?? '';
}

async function handshake(server: Running, headers: Record<string, string>): Promise<number> {
  const client = await RawClient.connect(server);
  return (await client.handshake('/pizza', headers)).status;
}

describe('the secured socket', () => {
  it('refuses who has neither header nor cookie', async () => {
    expect(await handshake(await serve(createApp()), {})).toBe(403);
    expect(await handshake(await serve(createApp(), { tls: true }), {})).toBe(403);
  });

  it('tells a request that is no handshake to upgrade', async () => {
    const { httpUrl } = await serve(createApp());
    expect((await fetch(`${httpUrl}/pizza`)).status).toBe(426);
  });

  it('accepts the header over TLS', async () => {
    const { url } = await serve(createApp(), { tls: true });
    const client = new WebSocket(`${url}/pizza`, { headers: { 'X-Pizza': 'Margherita' }, rejectUnauthorized: false });
    const welcome = new Promise((resolve) => client.once('message', (data) => resolve(String(data))));
    expect(await welcome).toBe('Welcome to PizzaNet.');
  });

  it('refuses the header without TLS', async () => {
    expect(await handshake(await serve(createApp()), { 'X-Pizza': 'Margherita' })).toBe(403);
  });

  it('accepts the cookie of a session that has a pizza', async () => {
    const server = await serve(createApp());
    const client = await RawClient.open(server, '/pizza', { Cookie: await logIn(server) });
    expect(await client.nextText()).toBe('Welcome to PizzaNet.');
  });

  it('refuses a cookie that was made up', async () => {
    const server = await serve(createApp());
    await logIn(server);
    expect(await handshake(server, { Cookie: 'pizza=Margherita' })).toBe(403);
  });

  it('refuses the cookie after logging out', async () => {
    const server = await serve(createApp());
    const cookie = await logIn(server);
    const response = await post(server, '/pizza/logout', { Cookie: cookie });
    expect([response.status, response.headers.get('location')]).toEqual([303, '/pizza.html']);
    expect(await handshake(server, { Cookie: cookie })).toBe(403);
  });

  it('refuses the cookie without TLS to who is not on this machine', async () => {
    class FromAfar extends PizzaSocket {
      override remoteAddress = '203.0.113.7';
    }
    const app = express().use('/pizza', pizzaLogin()).use(websocketRoute('/pizza', FromAfar));
    const server = await serve(app);
    expect(await handshake(server, { Cookie: await logIn(server) })).toBe(403);
  });
});

describe('the login', () => {
  it('sends back to the page, with a cookie that scripts and other sites do not get', async () => {
    const response = await post(await serve(createApp()), '/pizza/login', {}, 'topping=basil');
    expect([response.status, response.headers.get('location')]).toEqual([303, '/pizza.html']);
    expect(response.headers.getSetCookie()).toEqual([
      expect.stringMatching(/^pizza=[^;]+; Path=\/; HttpOnly; SameSite=Strict$/),
    ]);
  });

  it.each(['topping=pineapple', 'topping=basil&topping=basil', ''])('refuses %j and sets no cookie', async (body) => {
    const response = await post(await serve(createApp()), '/pizza/login', {}, body);
    expect([response.status, response.headers.getSetCookie()]).toEqual([403, []]);
  });
});
