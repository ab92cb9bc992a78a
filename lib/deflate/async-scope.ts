import { AsyncResource } from 'node:async_hooks';

/**
 * The origin of some work, for `AsyncLocalStorage` and other users of async hooks. It is not an open handle; test
 * runners that look for open handles recognize it by its name.
 */
export class AsyncScope extends AsyncResource {
  hasRef(): boolean {
    return false;
  }
}
