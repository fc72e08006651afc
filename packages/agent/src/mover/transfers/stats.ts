/** Totals from rsync's `--info=stats2`, absent where it did not get so far. */
export interface RsyncStats {
  readonly files?: number;
  readonly deleted?: number;
  readonly transferred?: number;
  readonly totalSize?: number;
  readonly literal?: number;
  readonly sent?: number;
  readonly received?: number;
}

const names: Readonly<Record<string, keyof RsyncStats>> = {
  'Number of files': 'files',
  'Number of deleted files': 'deleted',
  'Number of regular files transferred': 'transferred',
  'Total file size': 'totalSize',
  'Literal data': 'literal',
  'Total bytes sent': 'sent',
  'Total bytes received': 'received',
};

/** `Literal data: 12345 bytes` and the like; numbers are plain with `--no-human-readable`. */
export function parseStatsLine(line: string): RsyncStats {
  const match = /^([A-Z][a-z ]+): (\d+)(?: bytes| \(.*\))?$/.exec(line);
  const name = match === null ? undefined : names[match[1] ?? ''];
  return name === undefined ? {} : { [name]: Number(match?.[2]) };
}
