import { Struct } from '../../lib/index.js';
import { connect } from '../../lib/testing/index.js';
import { recipe } from './blocks.js';

// That the right compiles and the wrong does not is held by docs.spec.ts; here the examples do what they tell.
const PAGE = 'docs/types.md';

describe(PAGE, () => {
  it('converts params', async () => {
    const app = recipe(PAGE, 'class Diary');
    expect(await (await connect(app, '/diary/7/2026-11-24')).next()).toBe('7 on Tue Nov 24 2026');
    expect((await connect(app, '/diary/7/yesterday')).status).toBe(404);
  });

  it('hands on what the handshake has found out', async () => {
    const app = recipe(PAGE, 'class Desk');
    expect(await connect(app, '/desk')).toMatchObject({ status: 401 });
    expect(await (await connect(app, '/desk', { headers: { Authorization: 'secret' } })).next()).toBe('Hello, Ada!');
  });

  it('has a context in a literal, too', async () => {
    const app = recipe(PAGE, "'/counter', {");
    expect(Number(await (await connect(app, '/counter')).next())).toBeGreaterThan(0);
  });

  it('reads and writes records', async () => {
    const client = await connect(recipe(PAGE, "'/telemetry'"), '/telemetry');
    const struct = new Struct('!ILH?4s');
    client.send(struct.pack(1, 2, 3, true, Buffer.from('abcd')));
    expect(struct.unpack((await client.next()) as Buffer)).toEqual([1, 2, 4, false, Buffer.from('abcd')]);
  });

  it('pulls records', async () => {
    const client = await connect(recipe(PAGE, 'class Player'), '/players/7');
    client.send(new Struct('!IH').pack(40, 2));
    expect(await client.next()).toBe('red 7: 42');
  });

  it('takes the request for that of Express', async () => {
    const app = recipe(PAGE, 'class Local');
    expect((await connect(app, '/local')).status).toBe(101);
    expect((await connect(app, '/local', { remoteAddress: '203.0.113.9' })).status).toBe(403);
  });
});
