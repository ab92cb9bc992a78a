/**
 * The life of a connection (RFC 6455 section 7), by who has sent a close frame:
 *
 *     CONNECTING: the opening handshake is not done
 *       │  open
 *       ▼    sendClose                    receiveClose
 *     OPEN ─────────────▶ LOCAL_CLOSING ──────────────▶ ENDING ──gone──▶ CLOSED
 *       │  receiveClose                   sendClose       ▲
 *       ├─────────────▶ REMOTE_CLOSING ───────────────────┤
 *       └──────────────────── end ────────────────────────┘
 *
 * ENDING: nothing more is sent or parsed; the TCP connection is being closed. `end` (failing the connection, 7.1.7, among others) and `gone`
 * lead out of every state. An event that a state has no arrow for changes nothing.
 */
export const State = { CONNECTING: 0, OPEN: 1, LOCAL_CLOSING: 2, REMOTE_CLOSING: 3, ENDING: 4, CLOSED: 5 } as const;
export type State = (typeof State)[keyof typeof State];

export type StateEvent = 'open' | 'sendClose' | 'receiveClose' | 'end' | 'gone';

const TRANSITIONS: Readonly<Record<State, Partial<Record<StateEvent, State>>>> = {
  [State.CONNECTING]: { open: State.OPEN, gone: State.CLOSED },
  [State.OPEN]: {
    sendClose: State.LOCAL_CLOSING,
    receiveClose: State.REMOTE_CLOSING,
    end: State.ENDING,
    gone: State.CLOSED,
  },
  [State.LOCAL_CLOSING]: { receiveClose: State.ENDING, end: State.ENDING, gone: State.CLOSED },
  [State.REMOTE_CLOSING]: { sendClose: State.ENDING, end: State.ENDING, gone: State.CLOSED },
  [State.ENDING]: { gone: State.CLOSED },
  [State.CLOSED]: {},
};

export function transition(state: State, event: StateEvent): State {
  return TRANSITIONS[state][event] ?? state;
}

/**
 * The states as the WHATWG's `WebSocket` numbers them.
 *
 * @example
 * if (member.readyState === ReadyState.OPEN) member.write(news);
 */
export const ReadyState = { CONNECTING: 0, OPEN: 1, CLOSING: 2, CLOSED: 3 } as const;
export type ReadyState = (typeof ReadyState)[keyof typeof ReadyState];

export function readyStateOf(state: State): ReadyState {
  if (state === State.CONNECTING || state === State.OPEN) return state;
  return state === State.CLOSED ? ReadyState.CLOSED : ReadyState.CLOSING;
}

/** Whether data and pings may be sent: not after a close frame, RFC 6455 section 5.5.1. */
export function canSend(state: State): boolean {
  return state === State.OPEN;
}

/** Whether what the peer sends is still parsed: while its close frame has not come. */
export function canReceive(state: State): boolean {
  return state === State.OPEN || state === State.LOCAL_CLOSING;
}
