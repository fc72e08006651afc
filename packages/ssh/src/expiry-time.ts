/**
 * `expiry-time=` of sshd(8): `YYYYMMDD[Z]` or `YYYYMMDDHHMM[SS][Z]`; without the Z in the local time zone.
 *
 * @returns undefined when the text is no such time or the day does not exist.
 */
export function parseExpiryTime(text: string): Date | undefined {
  const match = /^(\d{4})(\d\d)(\d\d)(?:(\d\d)(\d\d)(\d\d)?)?(Z)?$/i.exec(text);
  if (!match) return undefined;
  const [year = 0, month = 0, day = 0, hour = 0, minute = 0, second = 0] = match
    .slice(1, 7)
    .map((part) => Number(part || '0'));
  const utc = new Date(Date.UTC(year, month - 1, day, hour, minute, second));
  // 1970 and before stand for "never" and "no time" in OpenSSH. A field out of its range changes what is written back.
  const written = [...match.slice(1, 4), match[4] ?? '00', match[5] ?? '00', match[6] ?? '00'].join('');
  if (year < 1971 || renderExpiryTime(utc) !== `${written}Z`) return undefined;
  return match[7] ? utc : new Date(year, month - 1, day, hour, minute, second);
}

/** In UTC, rounded down to the second. */
export function renderExpiryTime(time: Date): string {
  return `${time.toISOString().slice(0, 19).replace(/[-:T]/g, '')}Z`;
}
