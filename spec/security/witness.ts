/** Another connection of the same server: whatever a peer does, it must not harm that one. */
import { WebSocketHandler } from '../../lib/index.js';
import { text } from '../support/frames.js';
import { RawClient } from '../support/raw-client.js';
import type { Running } from '../support/server.js';

export class Echo extends WebSocketHandler {
  override onRead(data: string | Buffer): unknown {
    this.write(data);
    return undefined;
  }
}

export class Witness {
  private readonly client: RawClient;
  private count = 0;

  /** @param client of a handler that echoes */
  constructor(client: RawClient) {
    this.client = client;
  }

  /** Joins a server that echoes at this path. */
  static async join(server: Running, path = '/'): Promise<Witness> {
    return new Witness(await RawClient.open(server, path));
  }

  /** It is served as before: by the same process, and with nothing in between that is not its own. */
  async isServed(): Promise<void> {
    const message = `still here: ${++this.count}`;
    this.client.send(text(message));
    expect(await this.client.nextText()).toBe(message);
  }

  leave(): void {
    this.client.socket.destroy();
  }
}

/** In a spec of whose peers nothing is to be logged: what a peer does wrong is no error of ours. */
export function expectNothingLogged(): void {
  let spies: jest.SpyInstance[];
  beforeEach(() => {
    spies = [jest.spyOn(console, 'error').mockImplementation(), jest.spyOn(console, 'warn').mockImplementation()];
  });
  afterEach(() => {
    const calls = spies.flatMap(({ mock }) => mock.calls as unknown[]);
    for (const spy of spies) spy.mockRestore();
    expect(calls).toEqual([]);
  });
}
