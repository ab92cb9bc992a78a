import { type Endpoint, send } from '../../lib/streams/endpoint.js';
import { deferred, turns } from '../connection/open.js';

type Answer = 'taken' | 'behind' | 'dropped';

/** A connection that answers what is written to it like this, one after the other, and drains when the test says so. */
function endpointThat(...answers: Answer[]) {
  const gate = deferred();
  const written: string[] = [];
  let dropped = 0;
  const endpoint: Endpoint<never, string> = {
    messages: () => ({ next: () => new Promise(() => {}) }),
    write(data) {
      written.push(data);
      const answer = answers.shift();
      if (answer === 'dropped') dropped++;
      return answer === 'taken';
    },
    get dropped() {
      return dropped;
    },
    drained: () => gate.promise,
    close() {},
    unheard() {},
  };
  return { endpoint, written, gate };
}

describe('a chunk of a stream', () => {
  it('is sent at once while the peer keeps up', async () => {
    const { endpoint, written } = endpointThat('taken');
    await send(endpoint, 'a');
    expect(written).toEqual(['a']);
  });

  it.each<[Answer, string[]]>([
    ['behind', ['a']],
    ['dropped', ['a', 'a']],
  ])('waits for a peer that is behind, and is sent once more only if it was not sent: %s', async (answer, expected) => {
    const { endpoint, written, gate } = endpointThat(answer, 'taken');
    let isSent = false;
    const sent = send(endpoint, 'a').then(() => {
      isSent = true;
    });
    await turns(2);
    expect([isSent, written]).toEqual([false, ['a']]);
    gate.resolve();
    await sent;
    expect(written).toEqual(expected);
  });

  it('fails when the connection is lost meanwhile', async () => {
    const { endpoint, gate } = endpointThat('behind');
    const sent = send(endpoint, 'a');
    gate.reject(new Error('lost'));
    await expect(sent).rejects.toThrow('lost');
  });
});
