import { toInteger, websocketRoute } from 'websocket-route';

const MAX_TIMES = 100;

/** Pings the given number of times, one after another, and reports how many milliseconds each took. */
export const pingRoute = websocketRoute(
  '/ping/:times',
  // A plain object is enough here. The type of `times` follows from the path and its converter.
  {
    left: 0,
    onConnect({ times }) {
      this.left = times;
      this.ping();
    },
    onPong(roundTripTime) {
      this.left--;
      this.write(JSON.stringify({ roundTripTime, left: this.left }));
      if (this.left > 0) this.ping();
      else this.close(1000, 'pinged out');
    },
  },
  { convert: { times: toTimes } },
);

/** Returns undefined for a number out of range, so that the path does not match. */
function toTimes(text: string): number | undefined {
  const times = toInteger(text);
  return times !== undefined && times >= 1 && times <= MAX_TIMES ? times : undefined;
}
