/**
 * IEEE 754 half precision (`e`), for which supported Node versions have no function:
 *
 *     s eeeee mmmmmmmmmm      (-1)^s × 2^(e-15) × 1.m      e = 0: 2^-14 × 0.m      e = 31: infinity, NaN
 *
 * A double is rounded half to even in one step, as in CPython; going through single precision would round twice.
 */
import { scratchView } from './codec.js';

/** The smallest number that rounds to 2^16, which does not fit. */
const TOO_LARGE = 65520;
const INFINITY_BITS = 0x7c00;
const NAN_BITS = 0x7e00;

/** @returns the 16 bits of `value`; `undefined` if it is finite but too large */
export function encodeHalf(value: number): number | undefined {
  if (Number.isNaN(value)) return NAN_BITS;
  const sign = value < 0 || Object.is(value, -0) ? 0x8000 : 0;
  const magnitude = Math.abs(value);
  if (magnitude === Infinity) return sign | INFINITY_BITS;
  if (magnitude >= TOO_LARGE) return undefined;
  if (magnitude < 2 ** -14) return sign | roundHalfEven(magnitude * 2 ** 24);
  scratchView.setFloat64(0, magnitude);
  const exponent = (scratchView.getUint16(0) >> 4) - 1023;
  // Addition, not OR: a mantissa rounded up to 1024 carries into the exponent.
  return sign | (((exponent + 15) << 10) + roundHalfEven((magnitude / 2 ** exponent - 1) * 1024));
}

/** @returns the number that the 16 bits encode */
export function decodeHalf(bits: number): number {
  const sign = bits & 0x8000 ? -1 : 1;
  const exponent = (bits >> 10) & 31;
  const mantissa = bits & 1023;
  if (exponent === 31) return mantissa === 0 ? sign * Infinity : NaN;
  return exponent === 0 ? sign * mantissa * 2 ** -24 : sign * (1 + mantissa / 1024) * 2 ** (exponent - 15);
}

/** Scaling by powers of two is exact, so ties are exact. */
function roundHalfEven(value: number): number {
  const floor = Math.floor(value);
  const rest = value - floor;
  return rest > 0.5 || (rest === 0.5 && floor % 2 === 1) ? floor + 1 : floor;
}
