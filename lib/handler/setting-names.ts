/**
 * Finds misspelt settings: `read_delimiter` as in Pants, `readDelimeter`. Such a field would be set but never read,
 * and so would a field that is an option. Both are refused if they can hardly mean anything else.
 */
import { checkBoolean } from '../argument-checks.js';
import { checkReadSetting, READ_SETTINGS } from '../dispatch/read-settings.js';
import { invalidHandler } from '../errors.js';
import { isSlip, isSpelling } from './misspelling.js';
import { checkPositive } from './options/option-checks.js';

interface Setting {
  readonly name: string;
  /** Throws for an invalid value. */
  readonly check: (value: unknown) => void;
  /** A field with this name has no effect. */
  readonly isOption: boolean;
}

const SETTINGS: readonly Setting[] = [
  ...READ_SETTINGS.map((name) => ({
    name,
    check: (value: unknown) => checkReadSetting(name, value),
    isOption: false,
  })),
  // Only options with distinctive names: a `rate`, an `idleTimeout` or `limits` may be the user's own.
  { name: 'allowOldHandshake', check: (value) => checkBoolean('', value), isOption: true },
  { name: 'maxDelimiterLength', check: (value) => checkPositive('', value, ''), isOption: true },
  { name: 'maxBufferedAmount', check: (value) => checkPositive('', value, ''), isOption: true },
  { name: 'maxConnectionsPerKey', check: (value) => checkPositive('', value, ''), isOption: true },
];

/** @throws TypeError for a field or an accessor that is a misspelt setting, or an option; methods are not checked */
export function checkSettingName(name: string, descriptor: PropertyDescriptor): void {
  if (typeof descriptor.value === 'function') return;
  const same = SETTINGS.find((setting) => isSpelling(name, setting.name));
  const meant = same ?? SETTINGS.find((setting) => isSlip(name, setting.name) && mayBe(setting, descriptor));
  if (meant === undefined || (meant.name === name && !meant.isOption)) return;
  throw invalidHandler('handler member', name, remedyFor(meant, name));
}

/**
 * Pants is configured by class attributes; here statics are not read. A static with the exact name of a setting may
 * be the user's own constant.
 *
 * @throws TypeError for a static that is a misspelt setting, or an option
 */
export function checkStaticName(name: string): void {
  const meant = SETTINGS.find((setting) => isSpelling(name, setting.name));
  if (meant === undefined || (meant.name === name && !meant.isOption)) return;
  throw invalidHandler('static member', name, `${remedyFor(meant, name)}; a static is not read`);
}

function remedyFor({ name: right, isOption }: Setting, name: string): string {
  const spelling = right === name ? '' : `the correct spelling is ${right}`;
  const place = isOption ? 'this is an option: give it in the options' : '';
  return [spelling, place].filter((part) => part !== '').join(', and ');
}

/**
 * False for an accessor, whose value is unknown, and for a value that the setting would refuse, which is meant for
 * something else.
 */
function mayBe({ check }: Setting, { value }: PropertyDescriptor): boolean {
  if (value === undefined) return false;
  try {
    check(value);
    return true;
  } catch {
    return false;
  }
}
