import { InvalidArgumentError } from 'commander';

/** For options that take a time. @throws InvalidArgumentError */
export function secondsOption(text: string): number {
  const value = Number(text);
  if (!Number.isInteger(value) || value < 1) throw new InvalidArgumentError('Use a whole number of seconds.');
  return value;
}
