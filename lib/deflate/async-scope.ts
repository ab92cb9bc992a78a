import { AsyncResource } from 'node:async_hooks';

/**
 * Where something comes from, for `AsyncLocalStorage` and whoever else follows asynchronous calls. Nothing is open because of it,
 * and test runners that look for open handles ask by this name.
 */
export class AsyncScope extends AsyncResource {
  hasRef(): boolean {
    return false;
  }
}
