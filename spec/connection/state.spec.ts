import {
  canReceive,
  canSend,
  ReadyState,
  readyStateOf,
  State,
  type StateEvent,
  transition,
} from '../../lib/connection/state.js';

const { CONNECTING, OPEN, LOCAL_CLOSING, REMOTE_CLOSING, ENDING, CLOSED } = State;

describe('the life of a connection, RFC 6455 section 7', () => {
  const events: StateEvent[] = ['open', 'sendClose', 'receiveClose', 'end', 'gone'];

  it.each([
    ['CONNECTING', CONNECTING, [OPEN, CONNECTING, CONNECTING, CONNECTING, CLOSED]],
    ['OPEN', OPEN, [OPEN, LOCAL_CLOSING, REMOTE_CLOSING, ENDING, CLOSED]],
    ['LOCAL_CLOSING', LOCAL_CLOSING, [LOCAL_CLOSING, LOCAL_CLOSING, ENDING, ENDING, CLOSED]],
    ['REMOTE_CLOSING', REMOTE_CLOSING, [REMOTE_CLOSING, ENDING, REMOTE_CLOSING, ENDING, CLOSED]],
    ['ENDING', ENDING, [ENDING, ENDING, ENDING, ENDING, CLOSED]],
    ['CLOSED', CLOSED, [CLOSED, CLOSED, CLOSED, CLOSED, CLOSED]],
  ] as const)(
    'leads from %s by open, sendClose, receiveClose, end and gone to the states of the drawing',
    (_name, state, next) => {
      expect(events.map((event) => transition(state, event))).toEqual(next);
    },
  );

  it('lets data be sent while open, and received until the close frame of the peer', () => {
    const states = Object.values(State);
    expect(states.filter(canSend)).toEqual([OPEN]);
    expect(states.filter(canReceive)).toEqual([OPEN, LOCAL_CLOSING]);
  });

  it('is shown as the WHATWG numbers it', () => {
    expect(ReadyState).toEqual({ CONNECTING: 0, OPEN: 1, CLOSING: 2, CLOSED: 3 });
    const states = [CONNECTING, OPEN, LOCAL_CLOSING, REMOTE_CLOSING, ENDING, CLOSED];
    expect(states.map(readyStateOf)).toEqual([0, 1, 2, 2, 2, 3]);
  });
});
