import { createServer } from 'node:http';
import { Socket } from 'node:net';
import { PendingHandshake, pendingHandshakes } from '../../lib/handshake/pending-handshakes.js';

describe('handshakes that are at work', () => {
  it('are known by their server until they are over', () => {
    const [one, other] = [createServer(), createServer()];
    const first = new PendingHandshake(new Socket(), one);
    const second = new PendingHandshake(new Socket(), one);
    expect([...pendingHandshakes(one)]).toEqual([first, second]);
    expect(pendingHandshakes(other).size).toBe(0);
    first.over();
    expect([...pendingHandshakes(one)]).toEqual([second]);
  });

  it('call back once when they are over', () => {
    const handshake = new PendingHandshake(new Socket(), createServer());
    let calls = 0;
    handshake.whenOver(() => calls++);
    handshake.over();
    handshake.over();
    expect(calls).toBe(1);
  });

  it('may have no server that is known', () => {
    const handshake = new PendingHandshake(new Socket(), undefined);
    let calls = 0;
    handshake.whenOver(() => calls++);
    handshake.over();
    expect(calls).toBe(1);
  });
});
