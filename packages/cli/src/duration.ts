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
