import { PassThrough } from 'node:stream';
import { HookRunner } from '../../../lib/connection/hook-runner.js';
import type { ConnectionHooks, ConnectionSettings } from '../../../lib/connection/hooks.js';
import { Reason } from '../../../lib/connection/inbound/flow-control.js';
import { Receiver, type ReceiverOwner } from '../../../lib/connection/inbound/receiver.js';
import { type ConnectionOptions, InvalidStateError, ProtocolError } from '../../../lib/index.js';
import { TestClock } from '../../../lib/testing/test-clock.js';
import { Transport } from '../../../lib/transport/transport.js';
import { closeBody, frame, text } from '../../support/frames.js';
import { deferred, turns } from '../open.js';
import { hooksOf, NEGOTIATED, settingsOf } from '../parts.js';

/** What owns a receiver, and writes down what it is told. */
class Owner implements ReceiverOwner {
  readonly negotiated = NEGOTIATED;
  readonly transport = new Transport(new PassThrough());
  readonly clock = new TestClock();
  readonly told: string[] = [];
  readonly settings: ConnectionSettings;
  readonly runner: HookRunner;
  readonly receiver: Receiver;

  constructor(onRead: ConnectionHooks['onRead'], options: ConnectionOptions = {}) {
    this.settings = settingsOf(options);
    this.runner = new HookRunner(hooksOf({ onRead }), this.settings, {
      isPeerGone: false,
      onHookPending: () => this.receiver.onHookPending(),
      onHookSettled: () => this.receiver.onHookSettled(),
      onStale: () => this.receiver.onStale(),
      close() {},
    });
    this.receiver = new Receiver(this);
  }

  feed(...frames: Buffer[]): void {
    this.receive(() => this.receiver.feed(Buffer.concat(frames)));
  }

  receive(run: () => void): void {
    try {
      run();
    } catch (error) {
      if (!(error instanceof ProtocolError)) throw error;
      this.told.push(`failed with ${error.closeCode}`);
    }
  }

  onPing(payload: Buffer): void {
    this.told.push(`ping ${payload}`);
  }

  onPong(payload: Buffer): void {
    this.told.push(`pong ${payload}`);
  }

  onCloseFrame(code: number, reason: string): void {
    this.told.push(`close ${code} ${reason}`);
  }

  onCloseAhead(): void {
    this.told.push('close ahead');
  }

  onHandlerIdle(): void {
    this.told.push('idle');
  }

  onInputDelivered(): void {
    this.told.push('all delivered');
  }

  onThrottled(): void {
    this.told.push('throttled');
  }
}

/** An owner whose `onRead` writes down its data among the rest, and may return something. */
function receiving(returned: (data: unknown) => unknown = () => undefined, options?: ConnectionOptions): Owner {
  const owner = new Owner((data) => {
    owner.told.push(`read ${data}`);
    return returned(data);
  }, options);
  return owner;
}

const ping = (payload: string): Buffer => frame({ opcode: 9, payload });
const pong = (payload: string): Buffer => frame({ opcode: 10, payload });
const close = frame({ opcode: 8, payload: closeBody(4000, 'bye') });
const illegal = frame({ opcode: 3, payload: '' });

describe('the receiver', () => {
  it('hands messages to onRead and control frames to its owner, in their order', () => {
    const owner = receiving();
    owner.feed(text('a'), ping('1'), text('b'), pong('2'), close, text('never'));
    expect(owner.told).toEqual(['read a', 'ping 1', 'read b', 'pong 2', 'close 4000 bye']);
  });

  it('keeps messages while onRead is pending; pings and a close frame behind them are told at once', async () => {
    const gate = deferred();
    const owner = receiving((data) => (data === 'a' ? gate.promise : undefined));
    owner.feed(text('a'), ping('1'), text('b'), close);
    expect(owner.told).toEqual(['read a', 'ping 1', 'close ahead']);
    expect([owner.receiver.isHandling, owner.receiver.isBlockedBy(Reason.HOOK)]).toEqual([true, true]);
    expect(owner.receiver.pinned).toBeGreaterThan(0);
    owner.told.length = 0;
    gate.resolve();
    await turns();
    expect(owner.told).toEqual(['idle', 'read b', 'close 4000 bye', 'all delivered']);
    expect(owner.receiver.isBlocked).toBe(false);
  });

  it('fails for a frame that breaks the protocol only after the messages before it', async () => {
    const gate = deferred();
    const owner = receiving((data) => (data === 'a' ? gate.promise : undefined));
    owner.feed(text('a'), text('b'), illegal);
    expect(owner.told).toEqual(['read a']);
    gate.resolve();
    await turns();
    expect(owner.told.slice(0, 4)).toEqual(['read a', 'idle', 'read b', 'failed with 1002']);
  });

  it('keeps messages while a peer does not take what it is sent', () => {
    const owner = receiving();
    owner.receiver.applyBackpressure();
    owner.feed(text('a'));
    expect(owner.told).toEqual([]);
    owner.receiver.releaseBackpressure();
    expect(owner.told).toEqual(['idle', 'read a', 'all delivered']);
  });

  it('slows down a peer that exceeds its rate until the clock has come round, and says so once', async () => {
    const owner = receiving(undefined, { rate: { messages: 1 } });
    owner.feed(text('a'), text('b'), text('c'));
    expect(owner.told).toEqual(['read a', 'read b', 'throttled']);
    expect(owner.transport.socket.isPaused()).toBe(true);
    await owner.clock.advance(999);
    expect(owner.told).not.toContain('read c');
    await owner.clock.advance(1);
    expect(owner.told.filter((what) => what === 'read c' || what === 'throttled')).toEqual(['throttled', 'read c']);
  });

  it('gives messages to one reader of messages() at a time, and to onRead again once that has left', async () => {
    const owner = receiving();
    const messages = owner.receiver.messages();
    expect(() => owner.receiver.messages()).toThrow(InvalidStateError);
    owner.feed(text('a'), text('b'));
    expect(await messages.next()).toEqual({ done: false, value: 'a' });
    await messages.return();
    await turns(2);
    expect(owner.told.filter((what) => what.startsWith('read'))).toEqual(['read b']);
  });

  it('still hears control frames once messages are discarded, and nothing once all is', () => {
    const owner = receiving();
    owner.receiver.discardMessages();
    owner.feed(text('a'), ping('1'));
    owner.receiver.discard();
    owner.feed(text('b'), ping('2'));
    expect(owner.told).toEqual(['ping 1']);
  });

  it('ends the reader of messages() when it discards, and every one that comes later', async () => {
    const owner = receiving();
    const asked = owner.receiver.messages().next();
    owner.receiver.discard();
    expect(await asked).toEqual({ done: true, value: undefined });
    expect(await owner.receiver.messages().next()).toEqual({ done: true, value: undefined });
  });
});

it('pings that wait behind a message being inflated pin memory until nothing more is read', () => {
  const { receiver } = new Owner(() => undefined);
  receiver.onInflating();
  receiver.feed(frame({ opcode: 9, payload: 'held' }));
  const before = receiver.pinned;
  receiver.feed(Buffer.concat(Array.from({ length: 100 }, () => frame({ opcode: 9, payload: 'held' }))));
  expect(receiver.pinned - before).toBeGreaterThan(100 * 100);
  receiver.discard();
  expect(receiver.pinned).toBe(0);
});
