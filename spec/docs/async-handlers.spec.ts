import { once } from 'node:events';
import { join } from 'node:path';
import express from 'express';
import { metrics, WebSocketHandler, websocketRoute } from '../../lib/index.js';
import { AsyncQueue } from '../../lib/testing/async-queue.js';
import { turns } from '../connection/open.js';
import { serve } from '../support/server.js';
import { ROOT, readPage, recipe } from './blocks.js';
import { type Client, connect } from './client.js';

async function client(words: string, path: string): Promise<Client> {
  const { url } = await serve(recipe('docs/async-handlers.md', words));
  return connect(`${url}${path}`);
}

describe('docs/async-handlers.md', () => {
  it('loses no deposit and no message, also of those that come before onConnect has settled', async () => {
    const { socket, messages } = await client('class Account', '/accounts/ada');
    for (let i = 0; i < 100; i++) socket.send('10');
    expect(await messages.take(100)).toEqual(Array.from({ length: 100 }, (_, i) => String(100 + 10 * (i + 1))));
    socket.close();
  });

  it('tells a busy handler that its client has gone, within two heartbeats', async () => {
    const told = new AsyncQueue<string>();
    const app = express();
    class Busy extends WebSocketHandler {
      override async onRead(): Promise<void> {
        told.push('busy');
        await once(this.signal, 'abort');
        told.push('gone');
      }
    }
    app.use(websocketRoute('/busy', Busy, { pingInterval: 100, pongTimeout: 1e9 }));
    const { url } = await serve(app);
    const { socket } = await connect(`${url}/busy`);
    socket.send('work');
    expect(await told.next()).toBe('busy');
    // Its connection ends with FIN, not with a reset.
    socket.terminate();
    expect(await told.next()).toBe('gone');
  });

  it('decides on errors', async () => {
    const log = jest.spyOn(console, 'error').mockImplementation();
    const { socket, messages } = await client('class Parser', '/parser');
    socket.send('{');
    socket.send('{"wait":1}');
    expect(await messages.take(2)).toEqual(['that was not JSON', 'waited 1 ms']);
    expect(log).not.toHaveBeenCalled();
    socket.send('null');
    const [code] = (await once(socket, 'close')) as [number];
    expect(code).toBe(1011);
    expect(log).toHaveBeenCalledTimes(1);
    log.mockRestore();
  });

  it('holds a dialogue in pull style, and gives the rest to onRead', async () => {
    const { socket, messages } = await client('class Quiz', '/quiz');
    for (const answer of ['Ada', '41', '42', 'hello?']) socket.send(answer);
    expect(await messages.take(5)).toEqual([
      'What is your name?',
      'What is 6 times 7, Ada?',
      'Try again.',
      'Right.',
      'The quiz is over: hello?',
    ]);
    socket.close();
  });

  it('pipes web streams', async () => {
    const { socket, messages } = await client('class Upper', '/upper');
    for (const word of ['hello', 'world']) socket.send(word);
    expect(await messages.take(2)).toEqual(['HELLO', 'WORLD']);
    socket.close();
  });

  it('pipes a Node stream, through a delimiter', async () => {
    const { socket, messages } = await client('class Count', '/count');
    for (const part of ['o', 'ne\ntwo', '\nthree\n']) socket.send(part);
    expect(await messages.take(3)).toEqual(['1 one', '2 two', '3 three']);
    socket.close();
    const [code] = (await once(socket, 'close')) as [number];
    expect(code).toBe(1005);
  });

  it('sends a file through a stream, and closes, whatever the client sends meanwhile', async () => {
    process.env['LOG_FILE'] = join(ROOT, 'README.md');
    const { socket, messages } = await client('class Logs', '/logs');
    delete process.env['LOG_FILE'];
    socket.send('nobody asked');
    const [code] = (await once(socket, 'close')) as [number];
    expect(code).toBe(1000);
    expect(messages.left.join('')).toBe(readPage('README.md'));
  });

  it('ends no process when a client leaves in the midst of a stream', async () => {
    const log = jest.spyOn(console, 'error').mockImplementation();
    process.env['LOG_FILE'] = '/dev/zero';
    const { socket, messages } = await client('class Logs', '/logs');
    delete process.env['LOG_FILE'];
    await messages.next();
    const open = (): number => metrics().routes['/logs']?.open ?? 0;
    const before = open();
    socket.terminate();
    while (open() === before) await turns();
    await turns(20);
    expect(log).not.toHaveBeenCalled();
    log.mockRestore();
  });
});
