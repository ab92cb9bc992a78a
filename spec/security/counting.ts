/**
 * What a piece of work costs, counted instead of timed, so that the same work costs the same in each run: how often a block of
 * our code was entered (the precise coverage of V8), and how many characters and elements were given to functions of the
 * runtime, which coverage does not see into.
 */
import { Session } from 'node:inspector';
import { join, sep } from 'node:path';
import { pathToFileURL } from 'node:url';
import { setFlagsFromString } from 'node:v8';

const ROOT = join(__dirname, '..', '..');
/** Whose blocks count: ours, and those of what we read requests with. */
const COUNTED = ['lib', 'node_modules/parseurl', 'node_modules/path-to-regexp', 'node_modules/ipaddr.js'].map(
  (folder) => pathToFileURL(join(ROOT, folder) + sep).href,
);

export interface Cost {
  /** `blocks` and `characters`. */
  readonly steps: number;
  readonly blocks: number;
  readonly characters: number;
  /** The regular expressions that ran, each with what it was given: what they do inside cannot be counted. */
  readonly patterns: readonly (readonly [source: string, input: string])[];
}

/** These go through the text. */
const STRING_METHODS = [
  ...['concat', 'includes', 'indexOf', 'lastIndexOf', 'localeCompare', 'match', 'matchAll', 'normalize', 'padEnd'],
  ...[
    'padStart',
    'replace',
    'replaceAll',
    'search',
    'split',
    'toLowerCase',
    'toUpperCase',
    'trim',
    'trimEnd',
    'trimStart',
  ],
];
/** These make a text, and cost what that costs. */
const CUTTING_METHODS = ['repeat', 'slice', 'substring'];
/** These look at as much of it as they are asked for. */
const COMPARING_METHODS = ['endsWith', 'startsWith'];
const ARRAY_METHODS = ['concat', 'includes', 'indexOf', 'join', 'lastIndexOf', 'slice'];

let characters = 0;
let patterns: (readonly [string, string])[] = [];

function lengthOf(value: unknown): number {
  if (typeof value === 'string') return value.length;
  if (typeof value !== 'object' || value === null) return 0;
  const length: unknown = Reflect.get(value, 'length');
  return typeof length === 'number' ? length : 0;
}

type Note = (self: unknown, args: readonly unknown[], result: unknown) => void;

/** Has each call of a method noted, until it is undone. */
function spyOn(target: object, name: string, note: Note): () => void {
  const descriptor = Object.getOwnPropertyDescriptor(target, name);
  const original: unknown = descriptor?.value;
  if (descriptor === undefined || typeof original !== 'function') return () => {};
  Object.defineProperty(target, name, {
    ...descriptor,
    value(this: unknown, ...args: unknown[]): unknown {
      const result: unknown = Reflect.apply(original, this, args);
      note(this, args, result);
      return result;
    },
  });
  return () => Object.defineProperty(target, name, descriptor);
}

/** Has the functions of the runtime count what they are given, until that is undone. */
function countNatives(): () => void {
  const add = (count: number): void => {
    characters += count;
  };
  const NativeURL = URL;
  const undo = [
    ...STRING_METHODS.map((name) => spyOn(String.prototype, name, (self) => add(lengthOf(self)))),
    ...CUTTING_METHODS.map((name) => spyOn(String.prototype, name, (_self, _args, result) => add(lengthOf(result)))),
    ...COMPARING_METHODS.map((name) => spyOn(String.prototype, name, (_self, [part]) => add(lengthOf(part)))),
    ...ARRAY_METHODS.map((name) => spyOn(Array.prototype, name, (self) => add(lengthOf(self)))),
    ...['add', 'has'].map((name) => spyOn(Set.prototype, name, (_self, [key]) => add(lengthOf(key)))),
    ...['get', 'has', 'set'].map((name) => spyOn(Map.prototype, name, (_self, [key]) => add(lengthOf(key)))),
    ...['from', 'byteLength', 'concat'].map((name) => spyOn(Buffer, name, (_self, [value]) => add(lengthOf(value)))),
    ...['copy', 'indexOf', 'equals', 'toString', 'write'].map((name) =>
      spyOn(Buffer.prototype, name, (self) => add(lengthOf(self))),
    ),
    spyOn(NativeURL, 'canParse', (_self, [text]) => add(lengthOf(text))),
    spyOn(RegExp.prototype, 'exec', (self, [input]) => {
      add(lengthOf(input));
      patterns.push([String(self), String(input)]);
    }),
  ];
  globalThis.URL = new Proxy(NativeURL, {
    construct(target, args: unknown[]): object {
      add(lengthOf(args[0]));
      return Reflect.construct(target, args) as object;
    },
  });
  return () => {
    globalThis.URL = NativeURL;
    for (const one of undo) one();
  };
}

export class Counter {
  private readonly session = new Session();

  constructor() {
    // A function that the optimizer has put into its caller is counted no more.
    setFlagsFromString('--no-opt');
    this.session.connect();
    this.session.post('Profiler.enable');
    this.session.post('Profiler.startPreciseCoverage', { callCount: true, detailed: true });
  }

  /**
   * Modules of this project, loaded anew with all that they import: only of code that is compiled from now on blocks are counted.
   *
   * @param paths from the root of the project, `lib/handshake/request/origins`
   * @returns what all of them export
   */
  load<T extends object>(...paths: string[]): T {
    let loaded: T | undefined;
    jest.isolateModules(() => {
      loaded = Object.assign({}, ...paths.map((path) => require(join(ROOT, path)) as object)) as T;
    });
    return loaded!;
  }

  cost(run: () => void): Cost {
    const done = this.begin();
    run();
    return done();
  }

  /** Also of all else that happens until the promise is settled. */
  async costOf(run: () => Promise<unknown>): Promise<Cost> {
    const done = this.begin();
    await run();
    return done();
  }

  stop(): void {
    setFlagsFromString('--opt');
    this.session.post('Profiler.stopPreciseCoverage');
    this.session.disconnect();
  }

  private begin(): () => Cost {
    this.takeBlocks();
    characters = 0;
    patterns = [];
    const undo = countNatives();
    return () => {
      undo();
      const blocks = this.takeBlocks();
      return { steps: blocks + characters, blocks, characters, patterns };
    };
  }

  /** How many blocks were entered since this was asked last. */
  private takeBlocks(): number {
    let blocks = 0;
    // The answer comes before the call returns.
    this.session.post('Profiler.takePreciseCoverage', (error, answer) => {
      if (error !== null) throw error;
      for (const { url, functions } of answer.result) {
        if (!COUNTED.some((folder) => url.startsWith(folder))) continue;
        for (const { ranges } of functions) for (const { count } of ranges) blocks += count;
      }
    });
    return blocks;
  }
}
