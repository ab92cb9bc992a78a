/**
 * Whatever hooks do, however long they take, however the bytes are cut and however the peer goes: hooks of one connection never
 * overlap, messages come once and in order, FIN and a goodbye lose nothing that was sent before them, and onClose comes once and
 * last. Real sockets, many connections at a time, each by a plan of its own.
 */
import { setTimeout as later, setImmediate as nextTurn } from 'node:timers/promises';
import fc from 'fast-check';
import { metrics, ReadyState, WebSocketHandler, websocketRoute } from '../../lib/index.js';
import { closeBody, frame, more, text } from '../support/frames.js';
import { RawClient } from '../support/raw-client.js';
import { type Running, serve } from '../support/server.js';

type Act = 'nothing' | 'delimiter' | 'late delimiter' | 'write' | 'drained' | 'close' | 'terminate' | 'pull' | 'throw';
type Pause = 'none' | 'microtask' | 'turn' | 'timer';
type Extra = 'nothing' | 'ping' | 'pong' | 'empty message' | 'fragment' | 'fragment, ping';

interface Plan {
  // What the handler does. Lists are gone through in turn, again and again.
  onConnect: 'sync' | 'async' | 'pull' | 'pull inside' | 'throw';
  isSync: boolean;
  acts: Act[];
  /** Out of 8 messages at which it might, a handler closes, terminates or throws at this one: 0 is the first. */
  endsAt: number;
  pauses: Pause[];
  /** How many messages a loop takes before it leaves. */
  pulls: number;
  /** It also leaves when it had to wait for so long: undefined waits for ever. */
  patience: Pause | undefined;
  /** Bytes per write. */
  sizes: number[];
  onClose: 'sync' | 'async' | 'rejects';
  onError: 'default' | 'throws' | 'rejects';
  // What the client does.
  messages: number;
  /** How the text is cut into messages, and what is sent with each. */
  lengths: number[];
  extras: Extra[];
  /** How the bytes are cut into writes, and how long it waits after each. */
  segments: number[];
  gaps: Pause[];
  end: 'close' | 'FIN' | 'close, FIN' | 'reset';
  isSlow: boolean;
}

const pause = fc.constantFrom<Pause[]>('none', 'microtask', 'turn', 'timer');
const some = <T>(one: fc.Arbitrary<T>): fc.Arbitrary<T[]> => fc.array(one, { minLength: 1, maxLength: 6 });
const act = fc.constantFrom<Act[]>(
  'nothing',
  'nothing',
  'delimiter',
  'late delimiter',
  'write',
  'drained',
  'close',
  'terminate',
  'pull',
  'pull',
  'throw',
);

const plan: fc.Arbitrary<Plan> = fc.record({
  onConnect: fc.constantFrom('sync', 'async', 'pull', 'pull inside', 'throw'),
  isSync: fc.boolean(),
  acts: some(act),
  endsAt: fc.nat(7),
  pauses: some(pause),
  pulls: fc.constantFrom(0, 1, 2, 5, Infinity),
  patience: fc.option(pause, { nil: undefined }),
  sizes: some(fc.nat(400_000)),
  onClose: fc.constantFrom('sync', 'async', 'rejects'),
  onError: fc.constantFrom('default', 'throws', 'rejects'),
  messages: fc.constantFrom(0, 1, 5, 30),
  lengths: some(fc.integer({ min: 1, max: 7 })),
  extras: some(fc.constantFrom('nothing', 'nothing', 'ping', 'pong', 'empty message', 'fragment', 'fragment, ping')),
  segments: some(fc.integer({ min: 1, max: 200 })),
  gaps: some(pause),
  end: fc.constantFrom('close', 'FIN', 'close, FIN', 'reset'),
  isSlow: fc.boolean(),
});

async function wait(how: Pause): Promise<void> {
  if (how === 'microtask') await Promise.resolve();
  if (how === 'turn') await nextTurn();
  if (how === 'timer') await later(1);
}

/** Goes through a list again and again. */
function cycle<T>(list: readonly T[]): () => T {
  let at = 0;
  return () => list[at++ % list.length]!;
}

/** What is known of one connection. */
class Story {
  readonly nextAct: () => Act;
  readonly nextPause: () => Pause;
  readonly nextSize: () => number;
  handler: WebSocketHandler | undefined;
  /** How many messages have come. */
  came = 0;
  /** The server has ended it: what the peer has sent need not come. */
  endedByUs = false;
  readonly faults: string[] = [];
  readonly closed: Promise<void>;
  /** Loops outside of any hook. */
  readonly loops: Promise<void>[] = [];
  private readonly plan: Plan;
  private running: string | undefined;
  private chances = 0;
  private isClosed = false;
  private over!: () => void;

  constructor(plan: Plan) {
    this.plan = plan;
    this.nextAct = cycle(plan.acts);
    this.nextPause = cycle(plan.pauses);
    this.nextSize = cycle(plan.sizes);
    this.closed = new Promise((resolve) => {
      this.over = resolve;
    });
  }

  enter(hook: string): void {
    if (this.isClosed) this.faults.push(`${hook} after onClose`);
    if (this.running !== undefined) this.faults.push(`${hook} in the midst of ${this.running}`);
    this.running = hook;
  }

  leave(): void {
    this.running = undefined;
  }

  /** The last hook begins. */
  close(): void {
    this.enter('onClose');
    this.leave();
    this.isClosed = true;
    this.over();
  }

  /** Where it is. */
  trace(): string {
    return `${this.came} have come, ${this.running ?? 'no hook'} is running, onClose ${this.isClosed ? 'was' : 'was not'} called`;
  }

  message(unit: unknown): void {
    if (unit !== String(this.came)) this.faults.push(`${this.came} was to come, and ${unit} came`);
    this.came = Number(unit) + 1;
  }

  /** Whether now is the time to do what ends the connection. */
  mayEnd(): boolean {
    const isNow = this.chances++ % 8 === this.plan.endsAt;
    if (isNow) this.endedByUs = true;
    return isNow;
  }
}

/** So many connections at a time, and so many times. */
const TOGETHER = 60;
const RUNS = 12;
/** Far more than any of it takes, in milliseconds, and less than `closeTimeout`: nobody is to need that. */
const LIMIT = 8000;
const BROKEN = 'broken by plan';
let stories = new Map<string, [Plan, Story]>();
/** What no connection can be blamed for. */
let unexpected: unknown[] = [];

class Planned extends WebSocketHandler<{ params: { id: string } }> {
  private plan!: Plan;
  private story!: Story;

  override onConnect({ id }: { id: string }): unknown {
    [this.plan, this.story] = stories.get(id)!;
    this.story.handler = this;
    this.readDelimiter = '\n';
    const { onConnect } = this.plan;
    this.story.enter('onConnect');
    if (onConnect === 'sync' || onConnect === 'pull') {
      if (onConnect === 'pull') this.story.loops.push(this.pull());
      return this.story.leave();
    }
    return this.connecting(onConnect).finally(() => this.story.leave());
  }

  private async connecting(onConnect: Plan['onConnect']): Promise<void> {
    await this.pause();
    if (onConnect === 'pull inside') await this.pull();
    if (onConnect === 'throw') {
      this.story.endedByUs = true;
      throw new Error(BROKEN);
    }
    await this.pause();
  }

  override onRead(unit: unknown): unknown {
    this.story.enter('onRead');
    this.story.message(unit);
    const act = this.story.nextAct();
    if (!this.plan.isSync) return this.reading(act).finally(() => this.story.leave());
    try {
      if (act === 'pull') this.story.loops.push(this.pull());
      else this.act(act);
      return undefined;
    } finally {
      this.story.leave();
    }
  }

  private async reading(act: Act): Promise<void> {
    if (act === 'pull') await this.pull();
    else this.act(act);
    // Rejected where the connection goes, which is no fault of the handler: `onError` must not hear of it.
    if (act === 'drained') await this.drained();
    await this.pause();
  }

  private act(act: Act): void {
    if (act === 'delimiter') this.readDelimiter = this.readDelimiter === '\n' ? /\n/ : '\n';
    if (act === 'late delimiter') void this.changeLater();
    if (act === 'write' || act === 'drained') this.write(Buffer.alloc(this.story.nextSize()));
    if (act === 'close' && this.story.mayEnd()) this.close();
    if (act === 'terminate' && this.story.mayEnd()) this.terminate();
    if (act === 'throw' && this.story.mayEnd()) throw new Error(BROKEN);
  }

  private async changeLater(): Promise<void> {
    await this.pause();
    this.readDelimiter = /\n/;
  }

  /** Takes a few messages, and leaves: perhaps while it waits for one. */
  private async pull(): Promise<void> {
    const { patience, pulls } = this.plan;
    const messages = this.messages();
    for (let i = 0; i < pulls; i++) {
      const next = messages.next();
      const left = patience === undefined ? undefined : wait(patience).then(() => messages.return());
      const result = await Promise.race([next, left?.then(() => 'left' as const) ?? next]);
      // It may have come in the very moment.
      const { done, value } = result === 'left' ? await next : result;
      if (done) return;
      this.story.message(value);
      if (left !== undefined) return void (await left);
      await this.pause();
    }
    await messages.return();
  }

  private pause(): Promise<void> {
    return wait(this.story.nextPause());
  }

  override onClose(): unknown {
    this.story.close();
    // Nothing comes any more, and nobody waits for it in vain.
    this.story.loops.push(this.takeNothing());
    if (this.plan.onClose === 'sync') return undefined;
    return this.plan.onClose === 'async' ? this.pause() : Promise.reject(new Error(BROKEN));
  }

  private async takeNothing(): Promise<void> {
    for await (const message of this.messages()) this.story.faults.push(`${message} came in onClose`);
  }

  override onError(error: Error, hook: Parameters<WebSocketHandler['onError']>[1]): unknown {
    if (error.message !== BROKEN) this.story.faults.push(`onError of ${hook}: ${error.stack}`);
    if (this.plan.onError === 'throws') throw error;
    return this.plan.onError === 'rejects' ? Promise.reject(error) : super.onError(error, hook);
  }
}

/** The bytes of a client that sends 0, 1, 2 and so on, each with a newline behind it, cut into messages at will. */
function wireOf({ messages, lengths, extras }: Plan): Buffer {
  const lines = Array.from({ length: messages }, (_, i) => `${i}\n`).join('');
  const nextLength = cycle(lengths);
  const nextExtra = cycle(extras);
  const wire: Buffer[] = [];
  for (let at = 0; at < lines.length; ) {
    const part = lines.slice(at, at + nextLength());
    at += part.length;
    const extra = nextExtra();
    if (extra.startsWith('fragment')) {
      wire.push(text(part.slice(0, 1), false));
      if (extra === 'fragment, ping') wire.push(frame({ opcode: 9, payload: 'x' }));
      wire.push(more(part.slice(1), true));
    } else wire.push(text(part));
    if (extra === 'ping') wire.push(frame({ opcode: 9, payload: 'x' }));
    if (extra === 'pong') wire.push(frame({ opcode: 10, payload: 'y' }));
    if (extra === 'empty message') wire.push(text(''));
  }
  return Buffer.concat(wire);
}

async function send({ socket }: RawClient, plan: Plan): Promise<void> {
  const bytes = wireOf(plan);
  const nextSegment = cycle(plan.segments);
  const nextGap = cycle(plan.gaps);
  for (let at = 0; at < bytes.length && socket.writable; ) {
    const segment = bytes.subarray(at, at + nextSegment());
    at += segment.length;
    socket.write(segment);
    await wait(nextGap());
  }
  if (plan.end === 'reset') socket.resetAndDestroy();
  else if (socket.writable) {
    if (plan.end !== 'FIN') socket.write(frame({ opcode: 8, payload: closeBody(1000) }));
    if (plan.end !== 'close') socket.end();
  }
}

/** What may never happen is told with the plan that it belongs to, and not as a test that takes too long. */
async function inTime(promise: Promise<unknown>, onLate: () => void): Promise<void> {
  const alarm = new AbortController();
  const late = later(LIMIT, undefined, { signal: alarm.signal }).then(onLate, () => {});
  await Promise.race([promise, late]);
  alarm.abort();
}

/** Plays one connection from its handshake to its end. */
async function play(server: Running, plan: Plan, story: Story, id: string): Promise<void> {
  const client = await RawClient.open(server, `/${id}`);
  const { socket } = client;
  // However it goes.
  const gone = new Promise((resolve) => socket.once('close', resolve));
  if (plan.isSlow) socket.pause();
  await send(client, plan);
  if (plan.isSlow) {
    for (let i = 0; i < 20; i++) await nextTurn();
    socket.resume();
  }
  const overdue = (what: string): void => void story.faults.push(`${what} is awaited, and ${story.trace()}`);
  await inTime(Promise.all([gone, story.closed]), () => overdue('the end'));
  await inTime(Promise.all(story.loops), () => overdue('the end of a loop'));
  const { came, endedByUs, faults, handler } = story;
  if (came !== plan.messages && plan.end !== 'reset' && !endedByUs)
    faults.push(`${came} of ${plan.messages} have come`);
  if (handler?.bufferedAmount !== 0) faults.push(`bufferedAmount is ${handler?.bufferedAmount}`);
  if (handler?.readyState !== ReadyState.CLOSED) faults.push(`readyState is ${handler?.readyState}`);
}

let logged: jest.SpyInstance;
const blame = (error: unknown): void => void unexpected.push(error);
beforeEach(() => {
  unexpected = [];
  logged = jest.spyOn(console, 'error').mockImplementation((...args: unknown[]) => {
    if (!args.some((arg) => arg instanceof Error && arg.message === BROKEN)) unexpected.push(args);
  });
  process.on('unhandledRejection', blame);
});
afterEach(() => {
  logged.mockRestore();
  process.off('unhandledRejection', blame);
});

it('order is kept and nothing is lost, whatever hooks and peers do', async () => {
  const server = await serve(websocketRoute('/:id', Planned, { pingInterval: 0, closeTimeout: 60_000 }));
  const together = fc.asyncProperty(fc.array(plan, { minLength: TOGETHER, maxLength: TOGETHER }), async (plans) => {
    stories = new Map(plans.map((one, i) => [String(i), [one, new Story(one)]]));
    await Promise.all([...stories].map(([id, [one, story]]) => play(server, one, story, id)));
    // What nobody has handled by now is told.
    await nextTurn();
    const faulty = [...stories.values()].filter(([, { faults }]) => faults.length > 0);
    expect(faulty.map(([one, { faults }]) => ({ faults, plan: one }))).toEqual([]);
    expect(unexpected).toEqual([]);
    expect(metrics()).toMatchObject({ open: 0, bufferedAmount: 0 });
  });
  // Smaller plans are not looked for: what depends on the moment may not happen again.
  await fc.assert(together, { numRuns: RUNS, endOnFailure: true });
});
