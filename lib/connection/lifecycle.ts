/**
 * The life of a connection (RFC 6455 section 7) as a table, without I/O: an event comes in, the next state and what is to be done
 * come out. The states say which close frames have passed, and how far the TCP connection has come:
 *
 *     CONNECTING ─open─▶ OPEN ──closeHeard──▶ CLOSE_HEARD    the peer's close frame has come, messages before it wait
 *                         ├──peerEndedEarly──▶ PEER_ENDED     the same for FIN; both go on as OPEN does
 *        localClose ◀─────┼─────▶ remoteClose
 *             ▼           │            ▼
 *       LOCAL_CLOSING     │      REMOTE_CLOSING       the peer's close frame has come, and ours is on its way
 *             │      fail, peerEnded   │
 *             └───────────┼────────────┘
 *                         ▼
 *                      ENDING ──finSent──▶ ENDED      nothing more is said or heard; the rest of the output leaves, then FIN
 *                         │                  │
 *     OPEN ─transportClosed──▶ CLOSED          │      what had come is being delivered
 *                         │       │ inputDelivered
 *                         └───────┴──────────┴──▶ DELIVERED ─inputSettled─▶ TELLING ─told─▶ TOLD
 *                                                                              └──onCloseSettled─┴─▶ FINISHED
 *
 * As the server, this end closes the TCP connection first (section 7.1.1). An event that a state has no entry for changes nothing
 * and asks for nothing. `transportClosed` leads out of every state before CLOSED.
 */
export const State = {
  CONNECTING: 0,
  OPEN: 1,
  /** The peer has sent FIN. What it sent before that is delivered first, and it may still read. */
  PEER_ENDED: 2,
  /** The peer's close frame has come, and messages before it wait for a handler. */
  CLOSE_HEARD: 3,
  LOCAL_CLOSING: 4,
  REMOTE_CLOSING: 5,
  ENDING: 6,
  /** FIN is on its way, or the socket was destroyed. */
  ENDED: 7,
  /** The TCP connection is closed. What had come is being delivered, and a hook may be pending. */
  CLOSED: 8,
  /** The same, and nothing more is delivered. */
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
  /** The peer's close frame has come, in its turn. */
  | 'remoteClose'
  /** The peer's close frame has come, and messages before it wait for a handler. */
  | 'closeHeard'
  /** 7.1.7, _Fail the WebSocket Connection_. */
  | 'fail'
  /** The same where no close frame can be sent. */
  | 'failSilently'
  /** The peer has sent FIN, and everything before it has been delivered. */
  | 'peerEnded'
  /** The peer has sent FIN, and something before it waits for a handler. */
  | 'peerEndedEarly'
  /** All that was written has been given to the socket. */
  | 'outputDrained'
  | 'finSent'
  /** The connection is ended at once. */
  | 'terminate'
  | 'transportClosed'
  /** All that has come has been delivered, and nothing makes reading wait. */
  | 'inputDelivered'
  /** No hook is pending any more. */
  | 'inputSettled'
  /** `onClose` has returned. */
  | 'told'
  | 'onCloseSettled';

/** What is to be done, in this order. */
export const Action = {
  /** Work that goes on for the peer is told that nobody waits for it. */
  ABORT_SIGNAL: 1 << 0,
  /** Nothing more reaches the handler; control frames are still read. */
  DISCARD_MESSAGES: 1 << 1,
  /** Nothing that comes, or has come, is read any more. */
  DISCARD_INPUT: 1 << 2,
  /** A close frame is sent behind what was written. */
  SEND_CLOSE: 1 << 3,
  /** The output is ended as soon as nothing of it waits. */
  AWAIT_OUTPUT: 1 << 4,
  /** The output is ended: files that have not begun are dropped, what was written leaves, then FIN. */
  END_OUTPUT: 1 << 5,
  DESTROY: 1 << 6,
  /** The socket is closed: what belongs to it is let go. */
  RELEASE: 1 << 7,
  /** What had come is delivered, although nothing can be answered. */
  DELIVER_REST: 1 << 8,
  /** The peer is read again. */
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
/** 7.1.5: closed without a close frame, so the code stays 1006. What the peer is owed it may still read. */
const LEFT = to(State.ENDING, ABORT_SIGNAL, DISCARD_INPUT, END_OUTPUT);
const CUT = to(State.ENDED, DISCARD_INPUT, DESTROY);
const LOST = to(State.DELIVERED, ABORT_SIGNAL, RELEASE, DISCARD_INPUT);
const DELIVERED = to(State.DELIVERED, DISCARD_INPUT);

/** The same in all states in which the handler may write. */
const WHILE_OPEN: Partial<Record<LifecycleEvent, Step>> = {
  localClose: to(State.LOCAL_CLOSING, SEND_CLOSE, DISCARD_MESSAGES),
  remoteClose: to(State.REMOTE_CLOSING, ABORT_SIGNAL, DISCARD_INPUT, SEND_CLOSE, AWAIT_OUTPUT),
  fail: FAILED,
  failSilently: FAILED_SILENTLY,
  peerEnded: LEFT,
  terminate: CUT,
  transportClosed: to(State.CLOSED, ABORT_SIGNAL, RELEASE, DELIVER_REST),
};

/** The same in all states in which the connection ends, and the socket is not closed. */
const WHILE_ENDING: Partial<Record<LifecycleEvent, Step>> = { terminate: CUT, transportClosed: LOST };

const TABLE: Readonly<Record<State, Partial<Record<LifecycleEvent, Step>>>> = {
  [State.CONNECTING]: {
    open: to(State.OPEN),
    transportClosed: LOST,
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
    // It has said its last word, and will not answer.
    localClose: to(State.ENDING, SEND_CLOSE, DISCARD_INPUT, END_OUTPUT),
    inputDelivered: LEFT,
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
    // Messages that were being compressed have left.
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

/** @returns undefined where the event changes nothing */
export function step(state: State, event: LifecycleEvent): Step | undefined {
  return TABLE[state][event];
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
  if (state === State.CONNECTING) return ReadyState.CONNECTING;
  if (canSend(state)) return ReadyState.OPEN;
  return state < State.CLOSED ? ReadyState.CLOSING : ReadyState.CLOSED;
}

/** Whether data and pings may be sent: not after a close frame of ours, RFC 6455 section 5.5.1. */
export function canSend(state: State): boolean {
  return state >= State.OPEN && state <= State.CLOSE_HEARD;
}

/** Whether what the peer sends is still parsed: while its close frame has not come. */
export function canReceive(state: State): boolean {
  return state >= State.OPEN && state <= State.LOCAL_CLOSING;
}

/** Whether it is known that the peer listens no more, and messages of its own may still wait. */
export function hasPeerLeft(state: State): boolean {
  return state === State.PEER_ENDED || state === State.CLOSE_HEARD || state >= State.REMOTE_CLOSING;
}
