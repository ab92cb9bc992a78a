/**
 * Counts what the engine does for the bytes that it is fed, without a clock: how often each piece of its code runs, as V8's
 * precise coverage knows it, and how many bytes are given to functions of the runtime.
 *
 * A function counts as often as the piece of it that ran most often: a loop over n bytes counts n. (V8 leaves out a piece that
 * ran as often as the one around it, so a sum over all pieces would jump.)
 */
import buffer from 'node:buffer';
import { type Profiler, Session } from 'node:inspector';
import { setFlagsFromString } from 'node:v8';

/** How many bytes a call looks at, known when it has returned. Asked before the call. */
type Weigh = (self: unknown, args: readonly unknown[]) => (result: unknown) => number;

interface Native {
  readonly holder: object;
  readonly name: string;
  readonly weigh: Weigh;
}

/** Of bytes or text; a number is a length. */
function lengthOf(value: unknown): number {
  if (typeof value === 'number') return value;
  if (typeof value === 'string') return value.length;
  return ArrayBuffer.isView(value) ? value.byteLength : 0;
}
const or = (value: unknown, otherwise: number): number => (typeof value === 'number' ? value : otherwise);

/** From `start` to `end`, which are arguments of that place. */
const range =
  (place: number): Weigh =>
  (self, args) => {
    const length = or(args[place + 1], lengthOf(self)) - or(args[place], 0);
    return () => length;
  };
const first: Weigh = (_self, args) => () => lengthOf(args[0]);
const found: Weigh = (self, args) => {
  const from = or(args[1], 0);
  return (result) => (result === -1 ? lengthOf(self) : or(result, 0) + Math.max(1, lengthOf(args[0]))) - from;
};
const searched: Weigh = (self, args) => {
  const from = self instanceof RegExp ? self.lastIndex : 0;
  return (match) => {
    const end = Array.isArray(match) ? or(Reflect.get(match, 'index'), 0) + lengthOf(match[0]) : lengthOf(args[0]);
    return end - from;
  };
};
const all: Weigh = (_self, args) => () =>
  Array.isArray(args[0]) ? args[0].reduce((sum: number, part: unknown) => sum + lengthOf(part), 0) : 0;

const typedArray: object = Object.getPrototypeOf(Object.getPrototypeOf(Buffer.prototype));

/** Whatever the engine may give many bytes to. */
const NATIVES: readonly Native[] = [
  { holder: Buffer.prototype, name: 'toString', weigh: range(1) },
  { holder: Buffer.prototype, name: 'copy', weigh: range(2) },
  { holder: Buffer.prototype, name: 'indexOf', weigh: found },
  { holder: Buffer.prototype, name: 'fill', weigh: range(1) },
  { holder: typedArray, name: 'set', weigh: first },
  { holder: typedArray, name: 'slice', weigh: range(0) },
  { holder: typedArray, name: 'indexOf', weigh: found },
  { holder: Buffer, name: 'from', weigh: first },
  { holder: Buffer, name: 'alloc', weigh: first },
  { holder: Buffer, name: 'allocUnsafe', weigh: first },
  { holder: Buffer, name: 'allocUnsafeSlow', weigh: first },
  { holder: Buffer, name: 'concat', weigh: all },
  { holder: Buffer, name: 'byteLength', weigh: first },
  { holder: buffer, name: 'isUtf8', weigh: first },
  { holder: String.prototype, name: 'indexOf', weigh: found },
  { holder: RegExp.prototype, name: 'exec', weigh: searched },
];

export class WorkCounter {
  private readonly session = new Session();
  private readonly watched: (url: string) => boolean;

  /** Starts at once: what V8 has compiled before is not counted, so the code to be watched is imported after this. */
  constructor(watched: (url: string) => boolean) {
    this.watched = watched;
    // Code that was optimized does not count all of its calls: no function is, neither by Turbofan nor by Maglev.
    for (const compiler of ['turbo', 'maglev']) setFlagsFromString(`--${compiler}-filter=~`);
    this.session.connect();
    this.session.post('Profiler.enable');
    this.session.post('Profiler.startPreciseCoverage', { callCount: true, detailed: true });
  }

  /** What `run` costs, and whatever has run since the last count. */
  count(run: () => void): number {
    let given = 0;
    const restore = NATIVES.map((native) => watch(native, (bytes) => (given += bytes)));
    try {
      run();
    } finally {
      for (const undo of restore) undo();
    }
    return given + this.ran();
  }

  stop(): void {
    this.session.post('Profiler.stopPreciseCoverage');
    this.session.disconnect();
    for (const compiler of ['turbo', 'maglev']) setFlagsFromString(`--${compiler}-filter=*`);
  }

  /** How much code has run since it was asked last. */
  private ran(): number {
    let scripts: Profiler.ScriptCoverage[] = [];
    this.session.post('Profiler.takePreciseCoverage', (error, answer) => {
      if (error !== null) throw error;
      scripts = answer.result;
    });
    let sum = 0;
    for (const { functions } of scripts.filter(({ url }) => this.watched(url))) {
      for (const { functionName, isBlockCoverage, ranges } of functions) {
        const most = Math.max(...ranges.map(({ count }) => count));
        if (most > 0 && !isBlockCoverage) throw new Error(`${functionName} was compiled before it was watched`);
        sum += most;
      }
    }
    return sum;
  }
}

/** Tells `add` of what each call looks at. Returns what takes the watch off again. */
function watch({ holder, name, weigh }: Native, add: (bytes: number) => void): () => void {
  const descriptor = Object.getOwnPropertyDescriptor(holder, name);
  const original: unknown = descriptor?.value;
  if (descriptor === undefined || typeof original !== 'function') throw new Error(`there is no ${name}`);
  const value = function (this: unknown, ...args: unknown[]): unknown {
    const weight = weigh(this, args);
    const result: unknown = Reflect.apply(original, this, args);
    add(weight(result));
    return result;
  };
  Object.defineProperty(holder, name, { ...descriptor, value });
  return () => Object.defineProperty(holder, name, descriptor);
}
