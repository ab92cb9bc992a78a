import { CloseCode, Struct, WebSocketHandler } from 'websocket-route';

/** The first field of a record, in both directions. `telemetry.html` has the same numbers. */
const PacketType = { READING: 1, SUMMARY: 2 } as const;

/** In hundredths of a degree. The format is unsigned: a negative number arrives as a very large one. */
const MAX_VALUE = 100_000;

interface Summary {
  count: number;
  lowest: number;
  highest: number;
  sum: number;
}

/**
 * Takes sensor readings, reports new maxima, and sends a summary on request. Each unit is one record, however the
 * client splits its messages.
 */
export class Telemetry extends WebSocketHandler {
  /** Packet type, value, sensor. */
  override readDelimiter = new Struct('!ILH');
  readonly #sensors = new Map<number, Summary>();

  override onRead(type: number, value: number, sensor: number) {
    if (type === PacketType.READING) this.#add(value, sensor);
    else if (type === PacketType.SUMMARY) this.#sumUp(sensor);
    else this.close(CloseCode.POLICY_VIOLATION, `there is no packet type ${type}`);
  }

  #add(value: number, sensor: number) {
    if (value > MAX_VALUE) {
      this.close(CloseCode.POLICY_VIOLATION, `a reading of ${value} is more than ${MAX_VALUE}`);
      return;
    }
    const { count, lowest, highest, sum } = this.#sensors.get(sensor) ?? NOTHING;
    // Uses the format of `readDelimiter`, so the record goes back unchanged.
    if (value > highest) this.writePacked(PacketType.READING, value, sensor);
    this.#sensors.set(sensor, {
      count: count + 1,
      lowest: Math.min(lowest, value),
      highest: Math.max(highest, value),
      sum: sum + value,
    });
  }

  #sumUp(sensor: number) {
    const summary = this.#sensors.get(sensor);
    if (summary === undefined) {
      this.close(CloseCode.POLICY_VIOLATION, `sensor ${sensor} has no readings`);
      return;
    }
    const { count, lowest, highest, sum } = summary;
    this.writePackedAs('!IHLLLd', PacketType.SUMMARY, sensor, count, lowest, highest, sum / count);
  }
}

const NOTHING: Summary = { count: 0, lowest: Infinity, highest: -Infinity, sum: 0 };
