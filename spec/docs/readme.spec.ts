import { execFile } from 'node:child_process';
import { mkdtemp, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { serve } from '../support/server.js';
import { blocksOf, program, ROOT, readPage, serverOf } from './blocks.js';
import { connect } from './client.js';

describe('README.md', () => {
  it('begins with 15 lines', () => {
    expect(program('README.md', 'echo.mjs').code.trimEnd().split('\n')).toHaveLength(15);
  });

  describe.each(['echo.mjs', 'echo.mts'])('%s', (name) => {
    it('greets by the name in the path, and echoes text and bytes', async () => {
      const { url } = await serve(serverOf(program('README.md', name)));
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

  it.each(['mts', 'ts'])(
    'has programs that compile under strict as they are, in a file that ends in .%s',
    async (ending) => {
      const folder = await mkdtemp(join(tmpdir(), 'websocket-route-readme-'));
      try {
        await symlink(join(ROOT, 'node_modules'), join(folder, 'node_modules'));
        await writeFile(join(folder, 'package.json'), '{ "type": "module" }');
        const compilerOptions = {
          ...{ strict: true, module: 'nodenext', noEmit: true, skipLibCheck: true, noImplicitOverride: true },
          paths: { 'websocket-route': [join(ROOT, 'lib/index.ts')] },
        };
        await writeFile(join(folder, 'tsconfig.json'), JSON.stringify({ compilerOptions, include: [`*.${ending}`] }));
        const blocks = blocksOf('README.md');
        expect(blocks.map(({ name }) => name)).toEqual(['echo.mjs', 'shout.mjs', 'echo.mts']);
        await Promise.all(blocks.map(({ code }, i) => writeFile(join(folder, `block-${i}.${ending}`), code)));
        const tsc = join(ROOT, 'node_modules/typescript/bin/tsc');
        const checked = promisify(execFile)(process.execPath, [tsc, '-p', folder], { cwd: folder });
        expect(await checked.catch((error: { stdout: string }) => error)).toMatchObject({ stdout: '' });
      } finally {
        await rm(folder, { recursive: true });
      }
    },
  );

  it('names the two commands that a newcomer needs, and only those, as commands of "Develop"', () => {
    const develop = readPage('README.md').split('\n## Develop\n')[1]?.split('\n## ')[0] ?? '';
    const commands = Array.from(develop.matchAll(/^```sh\n(.*?)\n```$/gms), ([, command]) => command);
    expect(commands).toEqual(['npm install && npm run demo', 'npm install && npm test']);
  });
});
