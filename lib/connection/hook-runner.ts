/**
 * The one place that calls the user's code for a connection: each hook in the connection's async context, what it returns awaited,
 * and what it throws told to `onError`. Units of data come straight from the dispatcher.
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
  /** Whether the handler has been told, or could have seen, that the peer listens no more. */
  readonly isPeerGone: boolean;
  /** `onConnect` or `onRead` is asynchronous: nothing more is to be read until `onHookSettled`. */
  onHookPending(): void;
  onHookSettled(): void;
  /** What is held may be dispatched differently now. */
  onStale(): void;
  /** `onError` has failed, too. */
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

  /** Calls `onConnect`: reading waits while it is pending. */
  connect(args: readonly unknown[]): void {
    try {
      this.wait(this.hooks.onConnect(...args), 'onConnect');
    } catch (error) {
      this.failed(error, 'onConnect');
    }
  }

  // What the dispatcher calls. Nothing of the user's is thrown at it.

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
      // No hook gets more arguments than there are values.
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

  /** Calls a hook that reading does not wait for, and then `done`: at once, or when what it returned has settled. */
  call(hook: HookName, run: () => unknown, done: () => void = ignore): void {
    try {
      const isPending = this.inContext(() => {
        const result = run();
        if (!isThenable(result)) return false;
        // A query builder begins its work only when it is asked for its result.
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

  /** Runs what may call the user's code. */
  inContext<T>(run: () => T): T {
    return scopeOf(this.context).runInAsyncScope(run);
  }

  /** The same without a closure, for what happens to each chunk. */
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
    // The handler went on although its peer listens no more: it could not know.
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
