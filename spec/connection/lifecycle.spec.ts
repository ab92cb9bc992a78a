import {
  Action,
  canReceive,
  canSend,
  hasPeerLeft,
  type LifecycleEvent,
  ReadyState,
  readyStateOf,
  State,
  step,
} from '../../lib/connection/lifecycle.js';

type StateName = keyof typeof State;
type ActionName = keyof typeof Action;

const NAMES = Object.keys(State) as StateName[];
const EVENTS: LifecycleEvent[] = [
  'open',
  'localClose',
  'remoteClose',
  'closeHeard',
  'fail',
  'failSilently',
  'peerEnded',
  'peerEndedEarly',
  'outputDrained',
  'finSent',
  'terminate',
  'transportClosed',
  'compressedTransportClosed',
  'inputDelivered',
  'inputSettled',
  'told',
  'onCloseSettled',
];

function nameOf(state: State): StateName {
  return NAMES.find((name) => State[name] === state)!;
}

function actionsIn(actions: number): ActionName[] {
  return (Object.keys(Action) as ActionName[]).filter((name) => actions & Action[name]);
}

/** What happens, from one event to the next: the states that are passed, and what is asked for in each. */
function play(...events: LifecycleEvent[]): string[] {
  let state: State = State.CONNECTING;
  return events.map((event) => {
    const next = step(state, event);
    if (next === undefined) return `${event}: nothing`;
    state = next.state;
    return [`${event}: ${nameOf(state)}`, ...actionsIn(next.actions)].join(' ');
  });
}

describe('the life of a connection, RFC 6455 section 7', () => {
  it('is closed by this end: close frames in both directions, the rest of the output, FIN', () => {
    expect(
      play('open', 'localClose', 'remoteClose', 'outputDrained', 'finSent', 'transportClosed', 'inputSettled', 'told'),
    ).toEqual([
      'open: OPEN',
      'localClose: LOCAL_CLOSING DISCARD_MESSAGES SEND_CLOSE',
      'remoteClose: REMOTE_CLOSING DISCARD_INPUT AWAIT_OUTPUT',
      'outputDrained: ENDING END_OUTPUT',
      'finSent: ENDED',
      'transportClosed: DELIVERED ABORT_SIGNAL DISCARD_INPUT RELEASE',
      'inputSettled: TELLING CALL_ON_CLOSE',
      'told: TOLD',
    ]);
  });

  it('is closed by the peer: its close frame is answered, and this end closes TCP first', () => {
    expect(play('open', 'remoteClose', 'outputDrained', 'finSent', 'transportClosed')).toEqual([
      'open: OPEN',
      'remoteClose: REMOTE_CLOSING ABORT_SIGNAL DISCARD_INPUT SEND_CLOSE AWAIT_OUTPUT',
      'outputDrained: ENDING END_OUTPUT',
      'finSent: ENDED',
      'transportClosed: DELIVERED ABORT_SIGNAL DISCARD_INPUT RELEASE',
    ]);
  });

  it('tells of a close frame that was heard early, and answers it in its turn', () => {
    expect(play('open', 'closeHeard', 'inputDelivered', 'remoteClose')).toEqual([
      'open: OPEN',
      'closeHeard: CLOSE_HEARD ABORT_SIGNAL',
      'inputDelivered: CLOSE_HEARD READ_ON',
      'remoteClose: REMOTE_CLOSING ABORT_SIGNAL DISCARD_INPUT SEND_CLOSE AWAIT_OUTPUT',
    ]);
  });

  it('delivers what came before FIN, and then ends', () => {
    expect(play('open', 'peerEndedEarly', 'inputDelivered')).toEqual([
      'open: OPEN',
      'peerEndedEarly: PEER_ENDED ABORT_SIGNAL',
      'inputDelivered: ENDING ABORT_SIGNAL DISCARD_INPUT END_OUTPUT',
    ]);
    expect(play('open', 'peerEnded').at(-1)).toBe('peerEnded: ENDING ABORT_SIGNAL DISCARD_INPUT END_OUTPUT');
  });

  it('does not wait for the answer of a peer that has sent FIN', () => {
    expect(play('open', 'peerEndedEarly', 'localClose').at(-1)).toBe(
      'localClose: ENDING DISCARD_INPUT SEND_CLOSE END_OUTPUT',
    );
  });

  it('delivers what came before a reset', () => {
    expect(play('open', 'transportClosed', 'inputDelivered', 'inputSettled', 'onCloseSettled')).toEqual([
      'open: OPEN',
      'transportClosed: CLOSED ABORT_SIGNAL RELEASE DELIVER_REST',
      'inputDelivered: DELIVERED DISCARD_INPUT',
      'inputSettled: TELLING CALL_ON_CLOSE',
      'onCloseSettled: FINISHED FINISH',
    ]);
  });

  it('fails with a close frame, or silently where none can be sent', () => {
    expect(play('open', 'fail').at(-1)).toBe('fail: ENDING DISCARD_INPUT SEND_CLOSE END_OUTPUT');
    expect(play('open', 'failSilently').at(-1)).toBe('failSilently: ENDING DISCARD_INPUT END_OUTPUT');
    // Ours has been sent.
    expect(play('open', 'localClose', 'fail').at(-1)).toBe('fail: ENDING DISCARD_INPUT END_OUTPUT');
    expect(play('open', 'fail', 'fail').at(-1)).toBe('fail: nothing');
  });

  it('ends the output once more when messages that were being compressed have left', () => {
    expect(play('open', 'fail', 'outputDrained', 'finSent', 'outputDrained').slice(2)).toEqual([
      'outputDrained: ENDING END_OUTPUT',
      'finSent: ENDED',
      'outputDrained: nothing',
    ]);
  });

  it.each(NAMES.filter((name) => State[name] > State.CONNECTING && State[name] < State.CLOSED))(
    'is cut short from %s',
    (name) => {
      expect(actionsIn(step(State[name], 'terminate')!.actions)).toEqual(['DISCARD_INPUT', 'DESTROY']);
      expect(step(State[name], 'transportClosed')!.state).toBeGreaterThanOrEqual(State.CLOSED);
    },
  );

  it('calls onClose exactly once, whatever happens in whatever order', () => {
    // Every path of four events from each state: none leads back, and none asks for it twice.
    const visit = (state: State, calls: number, depth: number): void => {
      expect(calls).toBeLessThanOrEqual(1);
      if (depth === 0) return;
      for (const event of EVENTS) {
        const next = step(state, event);
        if (next === undefined) continue;
        expect(next.state).toBeGreaterThanOrEqual(state);
        visit(next.state, calls + (next.actions & Action.CALL_ON_CLOSE ? 1 : 0), depth - 1);
      }
    };
    for (const state of Object.values(State)) visit(state, 0, 4);
  });

  it('sends one close frame at the most', () => {
    for (const state of Object.values(State)) {
      for (const event of EVENTS) {
        const next = step(state, event);
        if (next === undefined || (next.actions & Action.SEND_CLOSE) === 0) continue;
        expect(canSend(state)).toBe(true);
        expect(canSend(next.state)).toBe(false);
      }
    }
  });

  it('lets data be sent until a close frame of ours, and received until one of the peer is due', () => {
    expect(NAMES.filter((name) => canSend(State[name]))).toEqual(['OPEN', 'PEER_ENDED', 'CLOSE_HEARD']);
    expect(NAMES.filter((name) => canReceive(State[name]))).toEqual([
      'OPEN',
      'PEER_ENDED',
      'CLOSE_HEARD',
      'LOCAL_CLOSING',
    ]);
    expect(NAMES.filter((name) => hasPeerLeft(State[name]))).toEqual([
      'PEER_ENDED',
      'CLOSE_HEARD',
      'REMOTE_CLOSING',
      'ENDING',
      'ENDED',
      'CLOSED',
      'DELIVERED',
      'TELLING',
      'TOLD',
      'FINISHED',
    ]);
  });

  it('is shown as the WHATWG numbers it', () => {
    expect(ReadyState).toEqual({ CONNECTING: 0, OPEN: 1, CLOSING: 2, CLOSED: 3 });
    expect(NAMES.map((name) => readyStateOf(State[name]))).toEqual([0, 1, 1, 1, 2, 2, 2, 2, 3, 3, 3, 3, 3]);
  });
});
