/** What the compiler says of mistakes: at the place of the mistake, and in words that lead to it. */
import { execFile } from 'node:child_process';
import { mkdtemp, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';

const ROOT = join(__dirname, '..', '..');

const PRELUDE = `
import type { IncomingMessage, ServerResponse } from 'node:http';
import { acceptWebSocket, type Converter, toInteger, WebSocketHandler, websocketRoute } from 'websocket-route';
declare const request: IncomingMessage;
declare const response: ServerResponse;
class Room extends WebSocketHandler {
  override onConnect(members: Set<string>, seat: number): void { this.write([...members].join() + seat.toFixed()); }
}
class ById extends WebSocketHandler<{ params: { id: number } }> {}
class Misspelt extends WebSocketHandler<{ context: { user: string }; param: { id: string } }> {}
`;

/** What is written right below the prelude, and what is said of it, which is all that is said. */
const MISTAKES: [code: string, complaint: RegExp][] = [
  [
    "acceptWebSocket(request, response, Room, {}, 'ada', 4);",
    /^\d+,46\): .*Argument of type 'string' is not assignable to parameter of type 'Set<string>'\.$/,
  ],
  [
    "acceptWebSocket(request, response, Room, {}, new Set<string>(), '4');",
    /^\d+,65\): .*type 'string' is not assignable to parameter of type 'number'\.$/,
  ],
  ['acceptWebSocket(request, response, Room, {}, new Set<string>());', /Expected 6 arguments, but got 5\.$/],
  ['acceptWebSocket(request, response, Room);', /Expected 6 arguments, but got 3\.$/],
  [
    'acceptWebSocket(request, response, Room, { bufersize: 7 }, new Set<string>(), 4);',
    /'bufersize' does not exist in type .* Did you mean to write 'bufferSize'\?$/,
  ],
  [
    'acceptWebSocket(request, response, { onConnect(name: string) { this.write(name); } }, {}, 4);',
    /Type 'number' is not assignable to type 'string'\.$/,
  ],
  ...[
    "websocketRoute('/ws', (ws: unknown) => void ws);",
    "websocketRoute('/ws', async function (ws: unknown, request: unknown) { void [ws, request]; });",
    'websocketRoute((ws: unknown) => void ws);',
    'acceptWebSocket(request, response, () => {});',
  ].map((code): [string, RegExp] => [
    code,
    /"a handler is a class that extends WebSocketHandler, or an object with hooks"/,
  ]),
  ["websocketRoute('/ws', class {});", /missing the following properties from type 'WebSocketHandler/],
  ["websocketRoute('/ws/:id', WebSocketHandler, { convert: { idd: toInteger } });", /"the path has no param idd"'\.$/],
  ["websocketRoute('/ws/:id', ById, { convert: { idd: toInteger } });", /"the path has no param idd"'\.$/],
  [
    "websocketRoute(['/ws/:id', '/:room'], {}, { convert: { id: toInteger, room: toInteger, seat: toInteger } });",
    /"the path has no param seat"'\.$/,
  ],
  ["websocketRoute('/ws/:id', { onConnect() {} }, { convert: { Id: () => 1 } });", /"the path has no param Id"'\.$/],
  ["websocketRoute('/ws/:id', Misspelt);", /"HandlerTypes has no param"/],
  ['websocketRoute(Misspelt);', /"HandlerTypes has no param"/],
  ["acceptWebSocket(request, response, Misspelt, {}, { id: 'a' }, 7);", /"HandlerTypes has no param"/],
  [
    `class Right extends WebSocketHandler<{ context: object; param: { id: string } }> {
       override onConnect({ id }: { id: string }): void { this.write(id); }
     }
     void Right;`,
    /Property 'onConnect' in type 'Right' is not assignable.*"HandlerTypes has no param"/s,
  ],
];

/** Nothing is said of these. */
const RIGHT = [
  'acceptWebSocket(request, response, Room, {}, new Set<string>(), 4);',
  'acceptWebSocket(request, response, { onConnect(name: string) { this.write(name); } }, undefined, "ada");',
  'acceptWebSocket(request, response, {});',
  "websocketRoute('/ws/:id', ById, { convert: { id: toInteger } });",
  "websocketRoute('/ws/:id{/:more}', ById, { convert: { id: (text: string) => text.length, more: toInteger } });",
  "websocketRoute('/ws/:id', {}, { convert: { id: (text) => text.length } });",
  "websocketRoute(['/ws/:id', '/:room'], {}, { convert: { id: toInteger, room: toInteger } });",
  "websocketRoute('/ws' as string, ById, { convert: { any: toInteger } });",
  "websocketRoute('/ws/:id', {}, { convert: { id: toInteger } as Record<string, Converter> });",
  `class Base<T extends { context: number; params: object }> extends WebSocketHandler<T> {
     twice(): number { return this.context * 2; }
   }
   class Derived extends Base<{ context: number; params: { id: number } }> {
     override onConnect({ id }: { id: number }): void { this.write(String(id + this.twice())); }
   }
   websocketRoute('/ws/:id', Derived, { convert: { id: toInteger } });`,
  'const all: WebSocketHandler[] = [new ById(), new Room()]; void all;',
];

describe.each([false, true])('with exactOptionalPropertyTypes %p the compiler', (exactOptionalPropertyTypes) => {
  let said: Map<string, string>;

  beforeAll(async () => {
    const folder = await mkdtemp(join(tmpdir(), 'websocket-route-types-'));
    try {
      await symlink(join(ROOT, 'node_modules'), join(folder, 'node_modules'));
      await writeFile(join(folder, 'package.json'), '{ "type": "module" }');
      const compilerOptions = {
        target: 'es2023',
        lib: ['es2023', 'es2024.string'],
        module: 'nodenext',
        noEmit: true,
        strict: true,
        exactOptionalPropertyTypes,
        skipLibCheck: true,
        types: ['node'],
        paths: { 'websocket-route': [join(ROOT, 'lib/index.ts')] },
      };
      await writeFile(join(folder, 'tsconfig.json'), JSON.stringify({ compilerOptions, include: ['*.ts'] }));
      const all = [...MISTAKES.map(([code]) => code), ...RIGHT];
      await Promise.all(all.map((code, i) => writeFile(join(folder, `case-${i}.ts`), PRELUDE + code)));
      const tsc = join(ROOT, 'node_modules/typescript/bin/tsc');
      const checked = promisify(execFile)(process.execPath, [tsc, '-p', folder, '--pretty', 'false'], { cwd: folder });
      const { stdout } = await checked.catch((error: { stdout: string }) => error);
      said = complaintsByCase(all, stdout);
    } finally {
      await rm(folder, { recursive: true });
    }
  }, 60_000);

  it.each(MISTAKES)('says of `%s` where and what is wrong', (code, complaint) => {
    expect(said.get(code)).toMatch(complaint);
    expect(said.get(code)).toMatch(/^(11|12),/);
    expect(said.get(code)).not.toContain("'never'");
  });

  it.each(RIGHT)('has nothing to say of `%s`', (code) => {
    expect(said.get(code)).toBe('');
  });
});

/** What is said of each case, from its place on. */
function complaintsByCase(all: readonly string[], stdout: string): Map<string, string> {
  const byCase = new Map(all.map((code) => [code, '']));
  for (const complaint of stdout.split(/^(?=\S)/m)) {
    const [, index, rest = ''] = /^case-(\d+)\.ts\((.*)$/s.exec(complaint.trimEnd()) ?? [];
    const code = all[Number(index)];
    if (index === undefined || code === undefined) throw new Error(`the compiler says: ${complaint}`);
    byCase.set(code, `${byCase.get(code)}${rest}`);
  }
  return byCase;
}
