import { serve } from '../support/server.js';
import { program, serverOf } from './blocks.js';
import { connect } from './client.js';

describe('docs/from-ws.md', () => {
  it.each(['before.mjs', 'after.mjs'])('%s hands on text and bytes to everybody', async (name) => {
    const { url } = await serve(serverOf(program('docs/from-ws.md', name)));
    const [a, b] = [await connect(`${url}/chat`), await connect(`${url}/chat`)];
    a.socket.send('hello');
    a.socket.send(Buffer.from([1, 2]));
    for (const { messages } of [a, b]) expect(await messages.take(2)).toEqual(['hello', Buffer.from([1, 2])]);
    for (const { socket } of [a, b]) socket.close();
  });
});
