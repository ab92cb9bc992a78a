import { serve } from '../support/server.js';
import { program, readPage, serverOf } from './blocks.js';
import { connect } from './client.js';

describe('README.md', () => {
  describe('echo.mjs', () => {
    it('has 15 lines', () => {
      expect(program('README.md', 'echo.mjs').code.trimEnd().split('\n')).toHaveLength(15);
    });

    it('greets by the name in the path, and echoes text and bytes', async () => {
      const { url } = await serve(serverOf(program('README.md', 'echo.mjs')));
      const { socket, messages } = await connect(`${url}/ws/Ada`);
      expect(await messages.next()).toBe('Hello, Ada!');
      socket.send('hi');
      expect(await messages.next()).toBe('hi');
      socket.send(Buffer.from([1, 2]));
      expect(await messages.next()).toEqual(Buffer.from([1, 2]));
      socket.close();
    });
  });

  describe('shout.mjs', () => {
    it('gets lines, however the client cuts them', async () => {
      const { url } = await serve(serverOf(program('README.md', 'shout.mjs')));
      const { socket, messages } = await connect(url);
      for (const message of ['hel', 'lo\nwor', 'ld\n']) socket.send(message);
      expect(await messages.take(2)).toEqual(['HELLO!', 'WORLD!']);
      expect(messages.left).toEqual([]);
      socket.close();
    });
  });

  it('names the two commands that a newcomer needs, and only those, as commands of "Develop"', () => {
    const develop = readPage('README.md').split('\n## Develop\n')[1]?.split('\n## ')[0] ?? '';
    const commands = Array.from(develop.matchAll(/^```sh\n(.*?)\n```$/gms), ([, command]) => command);
    expect(commands).toEqual(['npm install && npm run demo', 'npm install && npm test']);
  });
});
