import { InvalidArgumentError } from 'commander';

const units = [
  ['d', 86_400],
  ['h', 3_600],
  ['m', 60],
] as const;

/** Seconds for people: `0.3s`, `12s`, `4m10s`, `2d3h`. Two units at most. */
export function duration(seconds: number): string {
  if (seconds < 10) return `${Math.round(seconds * 10) / 10}s`;
  let rest = Math.round(seconds);
  if (rest < 60) return `${rest}s`;
  const parts: string[] = [];
  for (const [unit, size] of units) {
    if (rest >= size || parts.length > 0) parts.push(`${Math.floor(rest / size)}${unit}`);
    rest %= size;
  }
  return [...parts, `${rest}s`].slice(0, 2).join('');
}

const seconds = { s: 1, m: 60, h: 3_600, d: 86_400 } as const;

/**
 * The value of an option like `--timeout`: `90s`, `10m`, `2h`, or a number of seconds.
 *
 * @returns seconds
 * @throws InvalidArgumentError
 */
export function parseWait(text: string): number {
  const match = /^(\d{1,7})([smhd]?)$/.exec(text);
  const value = Number(match?.[1]) * seconds[(match?.[2] || 's') as keyof typeof seconds];
  // Timers of Node.js hold no more than 24 days.
  if (match === null || value < 1 || value > 24 * 86_400) {
    throw new InvalidArgumentError('Use a time like 90s, 10m or 2h, of 24 days at most.');
  }
  return value;
}
