import { PassThrough } from 'node:stream';
import { FlowControl, Reason } from '../../../lib/connection/inbound/flow-control.js';
import { Dispatcher } from '../../../lib/dispatch/dispatcher.js';
import { FrameParser } from '../../../lib/framing/frame-parser.js';
import { MAX_READ_AHEAD } from '../../../lib/framing/pausable-parser.js';
import { Transport } from '../../../lib/transport/transport.js';
import { text } from '../../support/frames.js';
import { settingsOf } from '../parts.js';

const nothing = (): void => {};

/** The control of a real parser, dispatcher and transport, with what is protected in it made public. */
class Control extends FlowControl {
  readonly units: unknown[] = [];
  readonly dispatcher = new Dispatcher(settingsOf(), {
    onUnit: (unit) => this.units.push(unit),
    onUnits: nothing,
    onValues4: nothing,
    onOverflow: nothing,
    onStale: nothing,
  });
  readonly parser = new FrameParser(this.dispatcher, { ping: nothing, pong: nothing, closed: nothing });
  readonly transport = new Transport(new PassThrough());

  override block(reason: Reason): void {
    super.block(reason);
  }

  override unblock(reason: Reason): boolean {
    return super.unblock(reason);
  }

  override unblockAll(): void {
    super.unblockAll();
  }

  discard(): void {
    this.discarding = true;
  }
}

const REASONS = Object.entries(Reason);

describe('flow control', () => {
  it.each(REASONS)('stops the parser for %s, and bounds what may come by what is read ahead', (_name, reason) => {
    const control = new Control();
    expect([control.isBlocked, control.room]).toEqual([false, Number.POSITIVE_INFINITY]);
    control.block(reason);
    control.parser.feed(text('held'));
    expect(control.units).toEqual([]);
    expect([control.isBlocked, control.isBlockedBy(reason)]).toEqual([true, true]);
    expect(control.room).toBe(MAX_READ_AHEAD - text('held').length);
  });

  it('is blocked until the last of several reasons is taken back', () => {
    const control = new Control();
    control.block(Reason.HOOK);
    control.block(Reason.OUTPUT);
    expect(control.unblock(Reason.HOOK)).toBe(true);
    expect(control.isBlocked).toBe(true);
    expect(control.unblock(Reason.HOOK)).toBe(false);
    expect(control.unblock(Reason.OUTPUT)).toBe(true);
    expect(control.isBlocked).toBe(false);
    control.block(Reason.RATE);
    control.block(Reason.READER);
    control.unblockAll();
    expect(control.isBlocked).toBe(false);
  });

  it.each(REASONS)('makes delivery wait for %s, unless that is the inflation, whose output it is', (name, reason) => {
    const control = new Control();
    control.block(reason);
    const bytes = Buffer.from('inflated');
    control.dispatcher.message(1, bytes, 0, bytes.length);
    const isDelivered = name === 'INFLATION';
    expect([control.takesMore, control.units]).toEqual([isDelivered, isDelivered ? ['inflated'] : []]);
  });

  it('pauses the socket only for a peer that exceeds its rate', () => {
    const paused = REASONS.filter(([, reason]) => {
      const control = new Control();
      control.transport.resume();
      control.block(reason);
      return control.transport.socket.isPaused();
    });
    expect(paused.map(([name]) => name)).toEqual(['RATE']);
  });

  it('is deaf to the peer for reasons that are not the peer’s own doing', () => {
    const deaf = REASONS.filter(([, reason]) => {
      const control = new Control();
      control.block(reason);
      return control.isDeaf;
    });
    expect(deaf.map(([name]) => name)).toEqual(['HOOK', 'READER', 'RATE', 'INFLATION']);
  });

  it('takes no more reasons once nothing is delivered', () => {
    const control = new Control();
    control.discard();
    control.block(Reason.HOOK);
    expect([control.isBlocked, control.parser.paused]).toEqual([false, false]);
  });
});
