/** What is published on the channels, as something to await. */
import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import { type DiagnosticMessages, metrics } from '../../lib/index.js';
import { AsyncQueue } from '../../lib/testing/async-queue.js';
import { turns } from '../connection/open.js';
// Before the hook below: it closes the servers.
import '../support/server.js';

const listeners: [name: string, listener: (message: unknown) => void][] = [];

/**
 * Listens to a channel until the test is over. Channels are of the process: a connection of an earlier spec file may end only
 * now, and is told apart by its route, which this file's library does not have.
 */
export function listen<const N extends keyof DiagnosticMessages>(name: N): AsyncQueue<DiagnosticMessages[N]> {
  const heard = new AsyncQueue<DiagnosticMessages[N]>();
  const listener = (message: unknown): void => {
    const known = message as DiagnosticMessages[N];
    if (!('route' in known) || known.route in metrics().routes) heard.push(known);
  };
  subscribe(name, listener);
  listeners.push([name, listener]);
  return heard;
}

afterEach(async () => {
  // The next test is not to hear how the connections of this one end.
  while (metrics().open > 0) await turns();
  for (const [name, listener] of listeners.splice(0)) unsubscribe(name, listener);
});
