import { ReadBuffer } from '../../lib/dispatch/read-buffer.js';
import { type UnitConsumer, UnitDelivery } from '../../lib/dispatch/unit-delivery.js';
import { EntireMessage, OverflowError, ProtocolError } from '../../lib/index.js';

class Delivery extends UnitDelivery {
  override held: ReadBuffer | undefined = undefined;
  protected override onReaderChanged(): void {}
  protected override onLimitLowered(): void {}
}

class Recorder implements UnitConsumer {
  readonly calls: unknown[][] = [];
  onUnit(...args: unknown[]): void {
    this.calls.push(['unit', ...args]);
  }
  onUnits(...args: unknown[]): void {
    this.calls.push(['units', ...args]);
  }
  onValues4(...args: unknown[]): void {
    this.calls.push(['values', ...args]);
  }
  onOverflow(error: OverflowError): void {
    this.calls.push(['overflow', error.limit]);
  }
  onStale(): void {}
}

function delivering(): { delivery: Delivery; consumer: Recorder } {
  const settings = { readDelimiter: EntireMessage, regexSearch: true, bufferSize: 100, maxDelimiterLength: 8 };
  const consumer = new Recorder();
  return { delivery: new Delivery(settings, consumer), consumer };
}

describe('units on their way', () => {
  it('reach the consumer as they are, and another one once that is to have them', () => {
    const { delivery, consumer } = delivering();
    delivery.unit('a');
    delivery.units([1, 2]);
    delivery.values4(2, 3, 4, undefined, undefined);
    const other = new Recorder();
    delivery.deliverTo(other);
    delivery.unit('b');
    expect(consumer.calls).toEqual([
      ['unit', 'a'],
      ['units', [1, 2]],
      ['values', 2, 3, 4, undefined, undefined],
    ]);
    expect(other.calls).toEqual([['unit', 'b']]);
  });

  it('are strings of text, and buffers whose memory is the user’s', () => {
    const { delivery } = delivering();
    const chunk = Buffer.from('<aé>');
    expect(delivery.take(1, chunk, 1, 4)).toBe('aé');
    const unit = delivery.take(2, chunk, 1, 2) as Buffer;
    chunk.fill(0);
    expect(unit.toString()).toBe('a');
    expect(unit.buffer).not.toBe(chunk.buffer);
  });

  it('that are all of the read buffer take its memory, and no other unit does', () => {
    const { delivery } = delivering();
    const held = new ReadBuffer();
    delivery.held = held;
    held.append(2, Buffer.from('abc'), 0, 3);
    const { bytes } = held;
    expect((delivery.take(2, bytes, 0, 2) as Buffer).buffer).not.toBe(bytes.buffer);
    expect(held.length).toBe(3);
    const all = delivery.take(2, bytes, 0, 3) as Buffer;
    expect([all.toString(), all.buffer === bytes.buffer, held.length]).toEqual(['abc', true, 0]);
  });

  it('are decoded for patterns as text, or a character a byte, also where a part of it was decoded before', () => {
    const { delivery } = delivering();
    const bytes = Buffer.from('é1é2');
    expect(delivery.decode(1, bytes, 0, 6)).toBe('é1é2');
    expect(delivery.decode(1, bytes, 3, 6)).toBe('é2');
    expect(delivery.decode(1, bytes, 0, 6)).toBe('é1é2');
    expect(delivering().delivery.decode(2, bytes, 0, 2)).toBe('\xc3\xa9');
  });

  it('that are too long stop the reader; a second one in a row, without a unit between them, fails with 1009', () => {
    const { delivery, consumer } = delivering();
    const error = new OverflowError(200, 100);
    delivery.overflow(error);
    expect([delivery.stopped, consumer.calls]).toEqual([true, [['overflow', 100]]]);
    delivery.unit('fits');
    delivery.overflow(error);
    expect(() => delivery.overflow(error)).toThrow(ProtocolError);
    expect(() => delivery.overflow(error)).toThrow(expect.objectContaining({ closeCode: 1009 }));
  });
});
