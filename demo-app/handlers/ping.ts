import { toInteger, websocketRoute } from 'websocket-route';

const MAX_TIMES = 100;

/** Pings so many times, one after the other, and tells how many milliseconds each took. */
export const pingRoute = websocketRoute(
  '/ping/:times',
  // An object will do where a class has nothing to add. What `times` is follows from the path and its converter.
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

/** Undefined, for a number out of bounds, means that the path is not found. */
function toTimes(text: string): number | undefined {
  const times = toInteger(text);
  return times !== undefined && times >= 1 && times <= MAX_TIMES ? times : undefined;
}
