/** What a handler may set, at any time, about how it reads: the one list that types, accessors and checks are made of. */
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

/** @throws TypeError for a value that the setting may not have */
export function checkReadSetting(name: ReadSetting, value: unknown): void {
  CHECKS[name](value);
}
