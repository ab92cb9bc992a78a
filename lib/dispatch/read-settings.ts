/** The read settings that a handler may change at any time. Types, accessors and checks derive from this one list. */
import { checkBufferSize, checkDelimiter, checkRegexSearch, type Delimiter } from './delimiter.js';

export interface ReadSettings {
  readDelimiter: Delimiter;
  regexSearch: boolean;
  bufferSize: number;
}

export type ReadSetting = keyof ReadSettings;

const CHECKS: Readonly<Record<ReadSetting, (value: unknown) => void>> = {
  readDelimiter: checkDelimiter,
  regexSearch: checkRegexSearch,
  bufferSize: checkBufferSize,
};

export const READ_SETTINGS: readonly ReadSetting[] = Object.keys(CHECKS).filter(isReadSetting);

export function isReadSetting(name: string): name is ReadSetting {
  return Object.hasOwn(CHECKS, name);
}

/** @throws TypeError if the setting does not allow the value */
export function checkReadSetting(name: ReadSetting, value: unknown): void {
  CHECKS[name](value);
}
