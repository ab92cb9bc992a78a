import type { Delimiter } from '../../lib/dispatch/delimiter.js';
import { BinaryPattern, NetStruct, Struct } from '../../lib/index.js';
import { AsyncQueue } from '../../lib/testing/async-queue.js';
import { deferred, open, roundTrip, turns } from '../connection/open.js';
import { frame, more, text } from '../support/frames.js';
import { CUTS, Dispatching, EntireMessage, type Reactions } from './dispatching.js';

const ping = frame({ opcode: 9, payload: 'sync' });

describe('text and bytes never mix: the three conditions of the seed close with 1002', () => {
  it('the delimiter and the data are of different types', () => {
    for (const cut of CUTS) {
      expect(new Dispatching('\n').message(Buffer.from('a\n'), cut)).toFailWith(1002);
      expect(new Dispatching(Buffer.from('\n')).message('a\n', cut)).toFailWith(1002);
      expect(new Dispatching(/\n/).message(Buffer.from('a\n'), cut)).toFailWith(1002);
      expect(new Dispatching(new BinaryPattern(/\n/)).message('a\n', cut)).toFailWith(1002);
    }
  });

  it('data of the other type is still buffered', () => {
    for (const cut of CUTS) {
      const one = new Dispatching(3).message('ab', cut).message(Buffer.from('c'), cut);
      expect(one).toFailWith(1002);
    }
  });

  it('a struct is to be read, and text comes', () => {
    for (const struct of [new Struct('B'), new NetStruct('B$')]) {
      for (const cut of CUTS) expect(new Dispatching(struct).message('a', cut)).toFailWith(1002);
    }
  });

  it('text that is buffered when the delimiter becomes a Struct closes with 1002', () => {
    const one = new Dispatching('\n').message('held');
    one.dispatcher.readDelimiter = new Struct('B');
    expect(one.attempt(() => one.dispatcher.dispatchHeld()).events).toEqual([['fail', 1002]]);
  });
});

describe('onOverflow', () => {
  const long = `${'x'.repeat(20)}\nrest\n`;

  it.each<[string, Delimiter]>([
    ['a string', '\n'],
    ['a pattern', /\n/],
    ['EntireMessage', EntireMessage],
  ])('an onOverflow that raises the limit lets the unit pass: %s', (_what, delimiter) => {
    for (const cut of CUTS) {
      const one = new Dispatching(
        delimiter,
        { bufferSize: 10 },
        {
          overflow(dispatcher) {
            dispatcher.bufferSize = 100;
          },
        },
      ).message(long, cut);
      const units = delimiter === EntireMessage ? [long] : ['x'.repeat(20), 'rest'];
      expect(one.units).toEqual([['overflow', 10], ...units]);
    }
  });

  it.each<[string, Delimiter]>([
    ['a string', '\n'],
    ['a pattern', /\n/],
    ['EntireMessage', EntireMessage],
  ])('an onOverflow that raises the limit by too little has no effect: %s', (_what, delimiter) => {
    for (const cut of CUTS) {
      const one = new Dispatching(
        delimiter,
        { bufferSize: 10 },
        {
          overflow(dispatcher) {
            dispatcher.bufferSize = 15;
          },
        },
      ).message(long, cut);
      const [first, ...others] = one.events;
      expect(first).toEqual(['overflow', 10]);
      // Byte by byte the first raise is enough for a while.
      expect(others.at(-1)).toEqual(['fail', 1009]);
      expect(others.every(([name]) => name !== 'read')).toBe(true);
    }
  });

  it('an onOverflow that changes the delimiter has all that is buffered dispatched by the new one', () => {
    for (const cut of CUTS) {
      for (const delimiter of ['\n', /\n/, EntireMessage] as const) {
        const one = new Dispatching(
          delimiter,
          { bufferSize: 10 },
          {
            overflow(dispatcher) {
              dispatcher.readDelimiter = 5;
            },
          },
        ).message(long, cut);
        expect(one.units).toEqual([['overflow', 10], 'xxxxx', 'xxxxx', 'xxxxx', 'xxxxx', '\nrest']);
        expect(one.rest()).toBe('\n');
      }
    }
  });

  it('an onOverflow that sets the null delimiter gets everything', () => {
    for (const cut of CUTS) {
      const one = new Dispatching(
        '\n',
        { bufferSize: 10 },
        {
          overflow(dispatcher) {
            dispatcher.readDelimiter = null;
          },
        },
      ).message(long, cut);
      expect(one.events[0]).toEqual(['overflow', 10]);
      expect(one.units.slice(1).join('')).toBe(long);
    }
  });

  it('an onOverflow that discards ends the delivery', () => {
    for (const cut of CUTS) {
      for (const delimiter of ['\n', /\n/, EntireMessage] as const) {
        const one = new Dispatching(delimiter, { bufferSize: 10 }, { overflow: (dispatcher) => dispatcher.discard() });
        expect(one.message(long, cut).message('a\n', cut).events).toEqual([['overflow', 10]]);
      }
    }
  });

  it('is called again for the next unit that is too long', () => {
    const one = new Dispatching(
      '\n',
      { bufferSize: 3 },
      {
        overflow(dispatcher) {
          dispatcher.bufferSize += 3;
        },
      },
    );
    expect(one.message('1234\n123456\n1234567\n').units).toEqual([
      ['overflow', 3],
      '1234',
      '123456',
      ['overflow', 6],
      '1234567',
    ]);
  });

  it('a connection obeys each outcome of onOverflowError: a close, nothing, another delimiter, a throw', async () => {
    const silent = jest.spyOn(console, 'error').mockImplementation(() => {});
    const over = frame({ opcode: 2, length: 100n });
    const closing = await open(
      {
        onOverflowError() {
          this.close(4000, 'mine');
        },
      },
      { bufferSize: 10 },
    );
    closing.client.send(over);
    await expect(closing.client).toCloseWith(4000, 'mine');
    const nothing = await open({ onOverflowError() {} }, { bufferSize: 10 });
    nothing.client.send(over);
    await expect(nothing.client).toCloseWith(1009);
    const reads: unknown[] = [];
    const streaming = await open(
      {
        onOverflowError() {
          this.readDelimiter = null;
        },
        onRead: (data) => void reads.push(`${data}`),
      },
      { bufferSize: 10 },
    );
    streaming.client.send(text('x'.repeat(11)));
    await roundTrip(streaming.client, ping);
    expect(reads).toEqual(['x'.repeat(11)]);
    silent.mockRestore();
  });
});

describe('the delimiter', () => {
  it('may change in each read, and what is buffered goes to the next one', () => {
    const message = Buffer.from('3abcde\n\x00\x07end;');
    const order: Delimiter[] = [3, Buffer.from('\n'), new Struct('!H'), new BinaryPattern(/;/)];
    for (const cut of CUTS) {
      const one = new Dispatching(
        1,
        {},
        {
          read(dispatcher, count) {
            if (order[count - 1]) dispatcher.readDelimiter = order[count - 1]!;
          },
        },
      ).message(message, cut);
      expect(one.units.map((unit) => (Buffer.isBuffer(unit) ? unit.toString() : unit))).toEqual([
        '3',
        'abc',
        'de',
        7,
        'end',
      ]);
    }
  });

  it('a delimiter set to the same value again begins nothing anew', () => {
    const one = new Dispatching(10).message('12345');
    one.dispatcher.readDelimiter = 10;
    one.dispatcher.regexSearch = true;
    expect(one.stale).toBe(0);
    expect(one.message('67890').units).toEqual(['1234567890']);
  });

  it('a delimiter set from outside dispatches what is buffered later, not within the assignment', () => {
    const one = new Dispatching('\n').message('a;b;c');
    one.dispatcher.readDelimiter = ';';
    expect([one.events, one.stale]).toEqual([[], 1]);
    one.dispatcher.dispatchHeld();
    expect(one.units).toEqual(['a', 'b']);
    expect(one.rest()).toBe('c');
  });

  it('a delimiter set from a timer takes effect at once after it, without another byte of the peer', async () => {
    const reads: unknown[] = [];
    const read = deferred();
    const { client, handler } = await open(
      {
        onRead(data) {
          reads.push(data);
          if (reads.length === 2) read.resolve();
        },
      },
      { readDelimiter: '\n' },
    );
    client.send(text('a;b;c'));
    await roundTrip(client, ping);
    setTimeout(() => {
      handler.readDelimiter = ';';
      reads.push('assigned');
    }, 1);
    await read.promise;
    await turns();
    expect(reads).toEqual(['assigned', 'a', 'b']);
  });

  it('takes another regexSearch from a timer as well', async () => {
    const reads = new AsyncQueue<unknown>();
    const { client, handler } = await open(
      { onRead: (data) => reads.push(String(data)) },
      { readDelimiter: /[a-z]+\d/, regexSearch: false },
    );
    client.send(text('-ab1'));
    await roundTrip(client, ping);
    setTimeout(() => {
      handler.regexSearch = true;
    }, 1);
    expect(await reads.next()).toBe('-');
  });

  it('a delimiter of the wrong kind set from a timer closes with 1002', async () => {
    const { client, handler } = await open({}, { readDelimiter: '\n' });
    client.send(text('held'));
    await roundTrip(client, ping);
    handler.readDelimiter = new Struct('B');
    await expect(client).toCloseWith(1002);
  });

  it('a delimiter set while a read is pending waits for it', async () => {
    const gate = deferred();
    const reads: unknown[] = [];
    const { client, handler } = await open(
      {
        async onRead(data) {
          reads.push(data);
          await gate.promise;
        },
      },
      { readDelimiter: '\n' },
    );
    client.send(text('a\nb;c;'));
    while (reads.length === 0) await turns();
    handler.readDelimiter = ';';
    await turns(5);
    expect(reads).toEqual(['a']);
    gate.resolve();
    await roundTrip(client, ping);
    expect(reads).toEqual(['a', 'b', 'c']);
  });
});

describe('paused', () => {
  it('a paused dispatcher keeps what comes, and goes on in order', () => {
    for (const cut of CUTS) {
      const one = new Dispatching('\n', {}, { read: (dispatcher) => dispatcher.pause() }).message('a\nb\nc\nd', cut);
      expect(one.units).toEqual(['a']);
      one.dispatcher.resume();
      expect(one.units).toEqual(['a', 'b']);
      one.dispatcher.dispatchHeld();
      expect(one.units).toEqual(['a', 'b']);
      one.dispatcher.resume();
      expect(one.units).toEqual(['a', 'b', 'c']);
      expect(one.rest()).toBe('');
      one.dispatcher.resume();
      expect(one.units).toEqual(['a', 'b', 'c', 'd']);
    }
  });

  it('a pattern over a large message decodes it once, not once a unit', () => {
    const units = Array.from({ length: 5000 }, (_, i) => `unit ${i} é`);
    let decoded = 0;
    const original = Buffer.prototype.toString;
    const spy = jest.spyOn(Buffer.prototype, 'toString').mockImplementation(function (
      this: Buffer,
      encoding,
      start,
      end,
    ) {
      decoded += Number(end ?? this.length) - Number(start ?? 0);
      return original.call(this, encoding, start, end);
    });
    const message = `${units.join(';')};`;
    const one = new Dispatching(/;/, { bufferSize: 1 << 20 }, { read: (dispatcher) => dispatcher.pause() }).message(
      message,
    );
    for (let i = 1; i < units.length; i++) one.dispatcher.resume();
    spy.mockRestore();
    expect(one.units).toEqual(units);
    expect(decoded).toBeLessThan(8 * Buffer.byteLength(message));
  });
});

describe('much that arrives while something is held', () => {
  const much = 'x'.repeat(3000);
  const heldFor = (next: Delimiter, reactions: Reactions = {}, settings = {}): Dispatching =>
    new Dispatching('\n', settings, {
      ...reactions,
      read: (dispatcher, count) => {
        if (count === 1) dispatcher.readDelimiter = next;
        reactions.read?.(dispatcher, count);
      },
    }).message('ab');

  it('is a whole message for the delimiter that what is held has set', () => {
    expect(heldFor(EntireMessage).message(`c\n${much}`).units).toEqual(['abc', much]);
    expect(heldFor(/$/).message(`c\n${much}`).rest()).toBe(much);
    const [, match] = heldFor(/x+/, {}, { regexSearch: false }).message(`c\n${much}`).units;
    expect(String(match)).toBe(much);
  });

  it('overflows once, as a whole', () => {
    const raise: Reactions = { overflow: (dispatcher) => void Object.assign(dispatcher, { bufferSize: 500 }) };
    const lower: Reactions = { ...raise, read: (dispatcher) => void Object.assign(dispatcher, { bufferSize: 50 }) };
    expect(heldFor(EntireMessage, lower).message(`c\n${much}`).events).toEqual([
      ['read', 'abc'],
      ['overflow', 50],
      ['fail', 1009],
    ]);
    expect(heldFor('\n', raise, { bufferSize: 100 }).message(much).events).toEqual([
      ['overflow', 100],
      ['fail', 1009],
    ]);
  });

  it('is one unit with it where nothing delimits', () => {
    const one = new Dispatching('\n').message('ab');
    one.dispatcher.readDelimiter = null;
    expect(one.message(much).units).toEqual([`ab${much}`]);
  });

  it('waits with it while reading pauses', () => {
    const one = heldFor('\n', { read: (dispatcher) => dispatcher.pause() }).message(`c\nd\n${much}\n`);
    const expected = ['abc', 'd', much];
    for (let i = 1; i <= 3; i++) {
      expect(one.units).toEqual(expected.slice(0, i));
      one.dispatcher.resume();
    }
  });

  it('does not outlive a consumer that wants nothing more', () => {
    const one = heldFor('\n', { read: (dispatcher) => dispatcher.discard() }).message(`c\nd\n${much}\n`);
    expect(one.units).toEqual(['abc']);
    expect(one.dispatcher.pinned).toBe(0);
  });

  it('is not copied when that is complete', () => {
    const one = new Dispatching('\n').message('ab').message(`c\n${much}\nde`);
    expect(one.units).toEqual(['abc', much]);
    expect(one.dispatcher.pinned).toBe(2);
  });
});

describe('an empty message behind one that pauses', () => {
  it('waits, and is not lost', () => {
    const one = new Dispatching('\n', {}, { read: (dispatcher) => dispatcher.pause() }).message('held');
    one.dispatcher.readDelimiter = EntireMessage;
    one.message('');
    expect(one.units).toEqual(['held']);
    one.dispatcher.resume();
    expect(one.units).toEqual(['held', '']);
    one.dispatcher.resume();
    expect(one.units).toEqual(['held', '']);
  });
});

describe('muted', () => {
  it('a muted dispatcher delivers nothing more, holds nothing, and never fails', () => {
    for (const cut of CUTS) {
      const one = new Dispatching('\n', {}, { read: (dispatcher) => dispatcher.discard() });
      one.message('a\nb\nc', cut).message('', cut).message(Buffer.from('d\n'), cut);
      one.dispatcher.readDelimiter = null;
      one.dispatcher.resume();
      expect(one.events).toEqual([['read', 'a']]);
    }
  });
});

describe('bufferSize', () => {
  it.each<[string, Delimiter, text: string, cut: number]>([
    ['a string', '\n', '12345', 0],
    ['a pattern', /\n/, '12345', 0],
    ['a pattern, within a message', /\n/, '12345', 1],
    ['EntireMessage, within a message', EntireMessage, '12345', 1],
  ])(
    'a bufferSize lowered below what is buffered under %s takes effect at once',
    async (_name, readDelimiter, data, cut) => {
      for (const raises of [false, true]) {
        const reads: unknown[] = [];
        const overflows = new AsyncQueue<number>();
        const { client, handler } = await open(
          {
            onRead: (unit) => reads.push(unit),
            onOverflowError({ limit }) {
              overflows.push(limit);
              if (raises) this.bufferSize = 10;
            },
          },
          { readDelimiter },
        );
        client.send(...(cut === 0 ? [text(data)] : [text(data, false)]));
        await roundTrip(client, ping);
        setTimeout(() => {
          handler.bufferSize = 3;
        }, 1);
        expect(await overflows.next()).toBe(3);
        if (raises) {
          // Of what was held nothing is lost.
          client.send(...(cut === 0 ? [text('\n')] : [more('\n', true)]));
          await roundTrip(client, ping);
          expect([reads, handler.readyState]).toEqual([[readDelimiter === EntireMessage ? '12345\n' : '12345'], 1]);
        } else await expect(client).toCloseWith(1009);
      }
    },
  );

  it('a lowered bufferSize is not applied within the assignment, and not where all that is held still fits', () => {
    const one = new Dispatching('\n', { bufferSize: 100 });
    one.dispatcher.bufferSize = 90;
    one.message('12345').dispatcher.bufferSize = 100;
    expect([one.events, one.stale]).toEqual([[], 0]);
    one.dispatcher.bufferSize = 5;
    one.dispatcher.dispatchHeld();
    expect([one.events, one.stale]).toEqual([[], 1]);
    expect(one.message('\n').units).toEqual(['12345']);
  });

  it('a bufferSize lowered while a read is pending waits for it', async () => {
    const gate = deferred();
    const overflows: number[] = [];
    const { client, handler } = await open(
      {
        onRead: () => gate.promise,
        onOverflowError: ({ limit }) => overflows.push(limit),
      },
      { readDelimiter: '\n' },
    );
    client.send(text('a\nbcde'));
    await turns(3);
    handler.bufferSize = 3;
    await turns(3);
    expect(overflows).toEqual([]);
    gate.resolve();
    await expect(client).toCloseWith(1009);
    expect(overflows).toEqual([3]);
  });

  it('says what was set, though a larger count raises the limit', () => {
    const one = new Dispatching(500, { bufferSize: 100 });
    expect([one.dispatcher.bufferSize, one.dispatcher.limit]).toEqual([100, Infinity]);
    one.dispatcher.readDelimiter = '\n';
    expect([one.dispatcher.bufferSize, one.dispatcher.limit]).toEqual([100, 100]);
  });

  it('bounds what a peer can have buffered, in its real cost', () => {
    for (const delimiter of ['\n', /\n/, EntireMessage, new NetStruct('I$')] as const) {
      const before = process.memoryUsage().arrayBuffers;
      const many = Array.from({ length: 10 }, () => {
        const one = new Dispatching(delimiter, {}, { overflow: (dispatcher) => dispatcher.discard() });
        const byte = delimiter instanceof NetStruct ? Buffer.from([0]) : Buffer.from('x');
        const kind = delimiter instanceof NetStruct ? 2 : 1;
        one.dispatcher.frame(kind, 65_536);
        for (let i = 0; i < 65_536; i++) one.dispatcher.data(kind, byte, 0, 1);
        return one;
      });
      // Twice the limit each, at the most, and what is not collected yet of the growing.
      expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(10 * 65_536 * 4 + (2 << 20));
      expect(many).toHaveLength(10);
    }
  });
});
