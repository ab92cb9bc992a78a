/**
 * The one place that calls the user's code for a connection. It runs each hook in the connection's async context,
 * awaits the result, and reports errors to `onError`. It receives units of data directly from the dispatcher.
 */
import type { AsyncResource } from 'node:async_hooks';
import type { Unit } from '../dispatch/reader.js';
import type { UnitConsumer } from '../dispatch/unit-delivery.js';
import type { OverflowError } from '../errors.js';
import { CloseCode } from '../framing/close-code.js';
import type { Chunk } from '../memory/shared-read-buffer.js';
import { publish } from '../telemetry/channels.js';
import { isThenable, whenSettled } from '../thenables.js';
import { contextFor, scopeOf } from './async-context.js';
import { isDueToState, reportSecond, tellError } from './hook-errors.js';
import type { ConnectionHooks, ConnectionSettings, HookName } from './hooks.js';

export interface HookRunnerOwner {
  /** Whether nothing can be sent to the peer any longer, or the peer is known to have left. */
  readonly isPeerGone: boolean;
  /** An asynchronous `onConnect` or `onRead` is pending: reading must wait until `onHookSettled`. */
  onHookPending(): void;
  onHookSettled(): void;
  /** The held data may now be dispatched differently. */
  onStale(): void;
  /** Called if `onError` fails too. */
  close(code: number, reason: string): void;
}

export class HookRunner implements UnitConsumer {
  readonly hooks: ConnectionHooks;
  /** An asynchronous `onConnect` or `onRead` has not settled. */
  isBusy = false;
  private readonly settings: ConnectionSettings;
  private readonly context: AsyncResource;
  private readonly owner: HookRunnerOwner;

  constructor(hooks: ConnectionHooks, settings: ConnectionSettings, owner: HookRunnerOwner) {
    this.hooks = hooks;
    this.settings = settings;
    this.context = contextFor(settings.asyncContext);
    this.owner = owner;
  }

  /** Calls `onConnect`. Reading waits while it is pending. */
  connect(args: readonly unknown[]): void {
    try {
      this.wait(this.hooks.onConnect(...args), 'onConnect');
    } catch (error) {
      this.failed(error, 'onConnect');
    }
  }

  // Called by the dispatcher. Errors of the user's code never reach it.

  onUnit(value: Unit): void {
    try {
      const result = this.hooks.onRead(value);
      if (result !== undefined) this.wait(result, 'onRead');
    } catch (error) {
      this.failed(error, 'onRead');
    }
  }

  onUnits(values: readonly unknown[]): void {
    try {
      this.wait(this.hooks.onRead(...values), 'onRead');
    } catch (error) {
      this.failed(error, 'onRead');
    }
  }

  onValues4(count: number, a: unknown, b: unknown, c: unknown, d: unknown): void {
    const { hooks } = this;
    try {
      let result: unknown;
      // Pass exactly as many arguments as there are values.
      if (count === 1) result = hooks.onRead(a);
      else if (count === 2) result = hooks.onRead(a, b);
      else if (count === 3) result = hooks.onRead(a, b, c);
      else result = hooks.onRead(a, b, c, d);
      if (result !== undefined) this.wait(result, 'onRead');
    } catch (error) {
      this.failed(error, 'onRead');
    }
  }

  onOverflow(error: OverflowError): void {
    const { route, counters } = this.settings;
    counters.counts.overflows++;
    this.inContext(() => publish('overflow', () => ({ route, connection: this.hooks, error })));
    this.call('onOverflowError', () => this.hooks.onOverflowError(error));
  }

  onStale(): void {
    this.owner.onStale();
  }

  // Other hooks.

  /** Calls a hook that reading does not wait for, then `done`: immediately, or when the hook's promise has settled. */
  call(hook: HookName, run: () => unknown, done: () => void = ignore): void {
    try {
      const isPending = this.inContext(() => {
        const result = run();
        if (!isThenable(result)) return false;
        // A lazy thenable, such as a query builder, starts its work only in `then`, so it must run in this context.
        whenSettled(result, done, (error) => {
          this.failed(error, hook);
          done();
        });
        return true;
      });
      if (isPending) return;
    } catch (error) {
      this.failed(error, hook);
    }
    done();
  }

  /** Runs a function that may call the user's code. */
  inContext<T>(run: () => T): T {
    return scopeOf(this.context).runInAsyncScope(run);
  }

  /** Like `inContext`, without a closure, for the work on each chunk. */
  deliver<T>(run: (this: T, chunk: Chunk) => void, self: T, chunk: Chunk): void {
    scopeOf(this.context).runInAsyncScope(run, self, chunk);
  }

  private wait(result: unknown, hook: HookName): void {
    if (!isThenable(result)) return;
    this.isBusy = true;
    this.owner.onHookPending();
    whenSettled(
      result,
      () => this.settled(),
      (error) => {
        this.failed(error, hook);
        this.settled();
      },
    );
  }

  private settled(): void {
    this.isBusy = false;
    this.owner.onHookSettled();
  }

  private failed(error: unknown, hook: HookName): void {
    // The handler could not know that its peer has stopped reading.
    if (isDueToState(error) && this.owner.isPeerGone) return;
    const failedAgain = (second: unknown): void => {
      reportSecond(this.settings, second);
      this.owner.close(CloseCode.INTERNAL_ERROR, '');
    };
    this.inContext(() => {
      try {
        const result = tellError(this.hooks, this.settings, error, hook);
        if (isThenable(result)) whenSettled(result, ignore, failedAgain);
      } catch (second) {
        failedAgain(second);
      }
    });
  }
}

function ignore(): void {}
