/**
 * The life of a connection (RFC 6455 section 7) as a table, without I/O: an event goes in; the next state and the
 * actions come out. The states record which close frames have passed, and how far the TCP connection has been closed:
 *
 *     CONNECTING ─open─▶ OPEN ──closeHeard──▶ CLOSE_HEARD    a close frame has arrived, messages before it wait
 *                         ├──peerEndedEarly──▶ PEER_ENDED     the same for FIN; both continue as OPEN does
 *        localClose ◀─────┼─────▶ remoteClose
 *             ▼           │            ▼
 *       LOCAL_CLOSING     │      REMOTE_CLOSING       the peer's close frame has arrived, and ours is being sent
 *             │      fail, peerEnded   │
 *             └───────────┼────────────┘
 *                         ▼
 *                      ENDING ──finSent──▶ ENDED      no more input or frames; the rest of the output leaves, then FIN
 *                         │                  │
 *     OPEN ─transportClosed──▶ CLOSED          │      input that had arrived is being delivered
 *                         │       │ inputDelivered
 *                         └───────┴──────────┴──▶ DELIVERED ─inputSettled─▶ TELLING ─told─▶ TOLD
 *                                                                              └──onCloseSettled─┴─▶ FINISHED
 *
 * As the server, this end closes the TCP connection first (section 7.1.1). An event without an entry for the current
 * state is ignored. `transportClosed` leads out of every state before CLOSED.
 */
export const State = {
  CONNECTING: 0,
  OPEN: 1,
  /** The peer has sent FIN. Its earlier data is delivered first, and the peer may still read. */
  PEER_ENDED: 2,
  /** The peer's close frame has arrived, and messages before it wait for the handler. */
  CLOSE_HEARD: 3,
  LOCAL_CLOSING: 4,
  REMOTE_CLOSING: 5,
  ENDING: 6,
  /** FIN has been sent, or the socket was destroyed. */
  ENDED: 7,
  /** The TCP connection is closed. Earlier input is being delivered, and a hook may be pending. */
  CLOSED: 8,
  /** The TCP connection is closed, and delivery is over. A hook may be pending. */
  DELIVERED: 9,
  /** `onClose` is being called. */
  TELLING: 10,
  /** `onClose` has returned, and may still be pending. */
  TOLD: 11,
  /** `onClose` has settled. */
  FINISHED: 12,
} as const;
export type State = (typeof State)[keyof typeof State];

export type LifecycleEvent =
  /** The handshake is done. */
  | 'open'
  /** This end begins the closing handshake. */
  | 'localClose'
  /** The peer's close frame has been read, after all messages before it. */
  | 'remoteClose'
  /** The peer's close frame has arrived, and messages before it wait for the handler. */
  | 'closeHeard'
  /** 7.1.7, _Fail the WebSocket Connection_. */
  | 'fail'
  /** Like `fail`, but no close frame can be sent. */
  | 'failSilently'
  /** The peer has sent FIN, and all data before it has been delivered. */
  | 'peerEnded'
  /** The peer has sent FIN, and data before it waits for the handler. */
  | 'peerEndedEarly'
  /** All output has been passed to the socket. */
  | 'outputDrained'
  | 'finSent'
  /** The connection must end immediately. */
  | 'terminate'
  | 'transportClosed'
  /** The same, where what has come and was not delivered is compressed: it is only delivered after FIN. */
  | 'compressedTransportClosed'
  /** All input has been delivered, and reading need not wait. */
  | 'inputDelivered'
  /** No hook is pending. */
  | 'inputSettled'
  /** `onClose` has returned. */
  | 'told'
  | 'onCloseSettled';

/** The actions of a step, performed in this order. */
export const Action = {
  /** Abort the handler's `signal`: its work for the peer is no longer needed. */
  ABORT_SIGNAL: 1 << 0,
  /** Deliver no more messages to the handler, but still read control frames. */
  DISCARD_MESSAGES: 1 << 1,
  /** Drop all input, including input that has already arrived. */
  DISCARD_INPUT: 1 << 2,
  /** Send a close frame after the output written so far. */
  SEND_CLOSE: 1 << 3,
  /** End the output as soon as none of it waits. */
  AWAIT_OUTPUT: 1 << 4,
  /** End the output: drop files that have not begun, send the rest, then FIN. */
  END_OUTPUT: 1 << 5,
  DESTROY: 1 << 6,
  /** The socket is closed: release its resources. */
  RELEASE: 1 << 7,
  /** Deliver the input that has arrived, although it can no longer be answered. */
  DELIVER_REST: 1 << 8,
  /** Resume reading. */
  READ_ON: 1 << 9,
  CALL_ON_CLOSE: 1 << 10,
  FINISH: 1 << 11,
} as const;

export interface Step {
  readonly state: State;
  /** A set of `Action`. */
  readonly actions: number;
}

const { ABORT_SIGNAL, DISCARD_MESSAGES, DISCARD_INPUT, SEND_CLOSE, AWAIT_OUTPUT, END_OUTPUT, DESTROY } = Action;
const { RELEASE, DELIVER_REST, READ_ON, CALL_ON_CLOSE, FINISH } = Action;

function to(state: State, ...actions: number[]): Step {
  return { state, actions: actions.reduce((all, action) => all | action, 0) };
}

const FAILED = to(State.ENDING, DISCARD_INPUT, SEND_CLOSE, END_OUTPUT);
const FAILED_SILENTLY = to(State.ENDING, DISCARD_INPUT, END_OUTPUT);
/** 7.1.5: closed without a close frame, so the code stays 1006. The peer may still read the pending output. */
const LEFT = to(State.ENDING, ABORT_SIGNAL, DISCARD_INPUT, END_OUTPUT);
const CUT = to(State.ENDED, DISCARD_INPUT, DESTROY);
const LOST = to(State.DELIVERED, ABORT_SIGNAL, RELEASE, DISCARD_INPUT);
const LOST_OPEN = to(State.CLOSED, ABORT_SIGNAL, RELEASE, DELIVER_REST);
const DELIVERED = to(State.DELIVERED, DISCARD_INPUT);

/** The entries that all states in which the handler may write have in common. */
const WHILE_OPEN: Partial<Record<LifecycleEvent, Step>> = {
  localClose: to(State.LOCAL_CLOSING, SEND_CLOSE, DISCARD_MESSAGES),
  remoteClose: to(State.REMOTE_CLOSING, ABORT_SIGNAL, DISCARD_INPUT, SEND_CLOSE, AWAIT_OUTPUT),
  fail: FAILED,
  failSilently: FAILED_SILENTLY,
  peerEnded: LEFT,
  terminate: CUT,
  transportClosed: LOST_OPEN,
  compressedTransportClosed: LOST,
};

/** The entries that all closing states before the socket closes have in common. */
const WHILE_ENDING: Partial<Record<LifecycleEvent, Step>> = {
  terminate: CUT,
  transportClosed: LOST,
  compressedTransportClosed: LOST,
};

const TABLE: Readonly<Record<State, Partial<Record<LifecycleEvent, Step>>>> = {
  [State.CONNECTING]: {
    open: to(State.OPEN),
    transportClosed: LOST,
    compressedTransportClosed: LOST,
  },
  [State.OPEN]: {
    ...WHILE_OPEN,
    closeHeard: to(State.CLOSE_HEARD, ABORT_SIGNAL),
    peerEndedEarly: to(State.PEER_ENDED, ABORT_SIGNAL),
    inputDelivered: to(State.OPEN, READ_ON),
  },
  [State.CLOSE_HEARD]: {
    ...WHILE_OPEN,
    inputDelivered: to(State.CLOSE_HEARD, READ_ON),
  },
  [State.PEER_ENDED]: {
    ...WHILE_OPEN,
    // After FIN the peer cannot answer.
    localClose: to(State.ENDING, SEND_CLOSE, DISCARD_INPUT, END_OUTPUT),
    inputDelivered: LEFT,
    compressedTransportClosed: LOST_OPEN,
  },
  [State.LOCAL_CLOSING]: {
    ...WHILE_ENDING,
    remoteClose: to(State.REMOTE_CLOSING, DISCARD_INPUT, AWAIT_OUTPUT),
    fail: FAILED_SILENTLY,
    failSilently: FAILED_SILENTLY,
    peerEnded: LEFT,
    peerEndedEarly: LEFT,
  },
  [State.REMOTE_CLOSING]: {
    ...WHILE_ENDING,
    outputDrained: to(State.ENDING, END_OUTPUT),
    fail: FAILED_SILENTLY,
    failSilently: FAILED_SILENTLY,
  },
  [State.ENDING]: {
    ...WHILE_ENDING,
    // Messages that were still being compressed have been sent.
    outputDrained: to(State.ENDING, END_OUTPUT),
    finSent: to(State.ENDED),
  },
  [State.ENDED]: WHILE_ENDING,
  [State.CLOSED]: {
    localClose: DELIVERED,
    fail: DELIVERED,
    failSilently: DELIVERED,
    terminate: DELIVERED,
    remoteClose: DELIVERED,
    inputDelivered: DELIVERED,
  },
  [State.DELIVERED]: {
    inputSettled: to(State.TELLING, CALL_ON_CLOSE),
  },
  [State.TELLING]: {
    told: to(State.TOLD),
    onCloseSettled: to(State.FINISHED, FINISH),
  },
  [State.TOLD]: {
    onCloseSettled: to(State.FINISHED, FINISH),
  },
  [State.FINISHED]: {},
};

/** @returns undefined if the state ignores the event */
export function step(state: State, event: LifecycleEvent): Step | undefined {
  return TABLE[state][event];
}

/**
 * The ready states, numbered as in the WHATWG's `WebSocket`.
 *
 * @example
 * if (member.readyState === ReadyState.OPEN) member.write(news);
 */
export const ReadyState = { CONNECTING: 0, OPEN: 1, CLOSING: 2, CLOSED: 3 } as const;
export type ReadyState = (typeof ReadyState)[keyof typeof ReadyState];

export function readyStateOf(state: State): ReadyState {
  if (state === State.CONNECTING) return ReadyState.CONNECTING;
  if (canSend(state)) return ReadyState.OPEN;
  return state < State.CLOSED ? ReadyState.CLOSING : ReadyState.CLOSED;
}

/** Whether data and pings may be sent: not after our own close frame (RFC 6455 section 5.5.1). */
export function canSend(state: State): boolean {
  return state >= State.OPEN && state <= State.CLOSE_HEARD;
}

/** Whether input is still parsed, which ends with the peer's close frame. */
export function canReceive(state: State): boolean {
  return state >= State.OPEN && state <= State.LOCAL_CLOSING;
}

/** Whether the peer has announced its end, or the TCP connection is closed. Its earlier messages may still wait. */
export function hasPeerLeft(state: State): boolean {
  return state === State.PEER_ENDED || state === State.CLOSE_HEARD || state >= State.REMOTE_CLOSING;
}
