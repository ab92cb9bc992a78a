import { HookRunner } from '../../../lib/connection/hook-runner.js';
import type { ConnectionSettings } from '../../../lib/connection/hooks.js';
import type { Negotiated, Version } from '../../../lib/connection/negotiated.js';
import { PreparedMessage } from '../../../lib/connection/outbound/prepared-message.js';
import { Sender, type SenderOwner } from '../../../lib/connection/outbound/sender.js';
import { type ConnectionOptions, Opcode } from '../../../lib/index.js';
import { FrameReader, type ServerFrame } from '../../../lib/testing/frames.js';
import { MemorySocket } from '../../../lib/testing/memory-socket.js';
import { TestClock } from '../../../lib/testing/test-clock.js';
import { Transport } from '../../../lib/transport/transport.js';
import { turns } from '../open.js';
import { hooksOf, NEGOTIATED, settingsOf } from '../parts.js';

/** What owns a sender, and counts what it is told. */
class Owner implements SenderOwner {
  readonly told = { onWrite: 0, wrote: 0, tooSlow: 0, drained: 0 };
  readonly clock = new TestClock();
  readonly settings: ConnectionSettings;
  readonly negotiated: Negotiated;
  readonly runner: HookRunner;
  canSend = true;
  isBackedUp = false;

  constructor(options: ConnectionOptions, version: Version) {
    this.settings = { ...settingsOf(options), watchesWrites: true };
    this.negotiated = { ...NEGOTIATED, version };
    const handler = { isPeerGone: false, onHookPending() {}, onHookSettled() {}, onStale() {}, close() {} };
    this.runner = new HookRunner(hooksOf({ onWrite: () => this.told.onWrite++ }), this.settings, handler);
  }

  onWrote(): void {
    this.told.wrote++;
  }

  applyBackpressure(): void {
    this.isBackedUp = true;
  }

  releaseBackpressure(): void {
    this.isBackedUp = false;
  }

  onOutputDrained(): void {
    this.told.drained++;
  }

  onTooSlow(): void {
    this.told.tooSlow++;
  }

  account(): void {}
  terminate(): void {}
}

/** A sender, its owner, and the peer, which reads when it is asked to. */
function sending(options: ConnectionOptions = {}, version: Version = 13) {
  const { client, server } = MemorySocket.pair();
  const transport = new Transport(server);
  transport.listen({ onData: () => 1, onEnd() {}, onClose() {} });
  const owner = new Owner(options, version);
  return { client, owner, told: owner.told, sender: new Sender(transport, owner) };
}

/** The frames that have come by now. */
async function arrived(client: MemorySocket): Promise<ServerFrame[]> {
  await turns(4);
  const bytes: unknown = client.read();
  return Buffer.isBuffer(bytes) ? new FrameReader().feed(bytes) : [];
}

const told = (frames: ServerFrame[]): [number, string][] =>
  frames.map(({ opcode, payload }) => [opcode, payload.toString()]);

describe('the sender', () => {
  it('sends text, bytes, prepared messages and control frames in their order', async () => {
    const { client, sender, told: events } = sending();
    expect(sender.text('text', false, true)).toBe(true);
    sender.bytes(Opcode.Binary, Buffer.from('bytes'), false, true);
    sender.prepared(new PreparedMessage(Opcode.Text, Buffer.from('prepared')), false, true);
    sender.ping(Buffer.from('ping'));
    sender.pong(Buffer.from('pong'));
    sender.heartbeat();
    expect(told(await arrived(client))).toEqual([
      [1, 'text'],
      [2, 'bytes'],
      [1, 'prepared'],
      [9, 'ping'],
      [10, 'pong'],
      [9, ''],
    ]);
    expect([sender.messages, events.wrote]).toEqual([3, 3]);
  });

  it('frames messages as draft-76 does where that was negotiated', async () => {
    const { client, sender } = sending({}, 0);
    sender.text('a', false, true);
    sender.prepared(new PreparedMessage(Opcode.Text, Buffer.from('b')), false, true);
    await turns(4);
    expect(client.read()).toEqual(Buffer.from('\0a\xff\0b\xff', 'latin1'));
  });

  it('sends nothing by itself while the peer’s bytes are being handled', async () => {
    const { client, sender } = sending();
    sender.isCollecting = true;
    sender.text('a', false, true);
    expect(await arrived(client)).toEqual([]);
    sender.text('b', true, true);
    expect(told(await arrived(client))).toEqual([
      [1, 'a'],
      [1, 'b'],
    ]);
  });

  it('matches a pong with its ping, and answers no ping after a close frame', async () => {
    const { client, owner, sender } = sending();
    sender.ping(undefined);
    const [ping] = await arrived(client);
    await owner.clock.advance(25);
    expect(sender.answerTo(ping!.payload)).toBe(25);
    expect(sender.answerTo(ping!.payload)).toBeUndefined();
    owner.canSend = false;
    sender.pong(Buffer.from('late'));
    expect(await arrived(client)).toEqual([]);
  });

  it('says false above the high-water mark, then calls onWrite and fulfils drained once it is taken', async () => {
    const { client, sender, told: events } = sending({ highWaterMark: 1000 });
    expect(sender.text('x'.repeat(100_000), false, true)).toBe(false);
    let isDrained = false;
    const drained = sender.drained().then(() => {
      isDrained = true;
    });
    await turns(5);
    expect([isDrained, events.onWrite]).toEqual([false, 0]);
    client.resume();
    await drained;
    expect([events.onWrite, sender.writer.bufferedAmount]).toEqual([1, 0]);
  });

  it('wants a peer not to be read that takes too little, until it has taken half of what may wait', async () => {
    const { client, owner, sender } = sending({ maxBufferedAmount: 200_000 });
    sender.bytes(Opcode.Binary, Buffer.alloc(150_000), true, true);
    expect(owner.isBackedUp).toBe(true);
    client.resume();
    await sender.drained();
    await turns(2);
    expect(owner.isBackedUp).toBe(false);
  });

  it.each(['close', 'drop'] as const)('drops what is written to a peer that is too slow: %s', async (slowConsumer) => {
    const { sender, told: events } = sending({ maxBufferedAmount: 100_000, slowConsumer });
    sender.bytes(Opcode.Binary, Buffer.alloc(300_000), true, true);
    await turns(2);
    expect(sender.text('too much', false, true)).toBe(false);
    expect([sender.dropped, sender.messages]).toEqual([1, 1]);
    expect(events.tooSlow).toBe(slowConsumer === 'close' ? 1 : 0);
  });

  it('tells its owner when the last of the output was given to the socket', () => {
    const { sender, told: events } = sending();
    sender.text('open', false, true);
    sender.send(true);
    expect(events.drained).toBe(0);
    const closing = sending();
    closing.sender.text('last', false, true);
    closing.owner.canSend = false;
    closing.sender.send(true);
    expect(closing.told.drained).toBe(1);
  });

  it('flushes the last time although the socket is behind', async () => {
    const { client, sender } = sending();
    sender.text('x'.repeat(100_000), true, true);
    sender.text('bye', true, true);
    expect(sender.writer.waiting).toBe(true);
    sender.flushLast();
    expect(sender.writer.waiting).toBe(false);
    client.resume();
    await sender.drained();
  });

  it('rejects drained when the connection is lost', async () => {
    const { sender } = sending();
    sender.bytes(Opcode.Binary, Buffer.alloc(300_000), true, true);
    const drained = sender.drained();
    sender.close(() => new Error('lost'));
    await expect(drained).rejects.toThrow('lost');
  });
});
