/** One line of /proc/PID/mountinfo, see proc_pid_mountinfo(5). */
export interface Mount {
  /** Unique among the mounts that there are now; used again after an unmount. */
  readonly id: number;
  readonly parentId: number;
  /** `major:minor` */
  readonly dev: string;
  /** Which directory of the file system is mounted: not `/` for a bind mount. */
  readonly root: string;
  readonly mountPoint: string;
  readonly options: readonly string[];
  readonly fsType: string;
  readonly source: string;
  /** Options of the file system; quotes around a value are taken off. */
  readonly superOptions: readonly string[];
}

/**
 * All mounts, in the kernel's order: of two at one mount point the later one covers the earlier. A line that is none is
 * passed over, because file systems write their options themselves and one bad line must not hide all volumes.
 */
export function parseMountinfo(text: string): Mount[] {
  return text.split('\n').flatMap((line) => {
    const mount = parseLine(line);
    return mount === undefined ? [] : [mount];
  });
}

function parseLine(line: string): Mount | undefined {
  const fields = line.split(' ');
  // Any number of optional fields (propagation) stands before the dash.
  const dash = fields.indexOf('-', 6);
  if (dash < 0) return undefined;
  const [id = '', parentId = '', dev = '', root = '', mountPoint = '', options = ''] = fields;
  const [fsType = '', source = '', superOptions = ''] = fields.slice(dash + 1);
  if (!/^\d+$/.test(id) || !/^\d+$/.test(parentId) || !/^\d+:\d+$/.test(dev)) return undefined;
  return {
    id: Number(id),
    parentId: Number(parentId),
    dev,
    root: unescape(root),
    mountPoint: unescape(mountPoint),
    options: splitOptions(options),
    fsType: unescape(fsType),
    source: unescape(source),
    superOptions: splitOptions(superOptions),
  };
}

/** The kernel writes space, tab, newline, backslash and `#` as a backslash and three octal digits. */
function unescape(field: string): string {
  return field.replace(/\\([0-3][0-7]{2})/g, (_, octal: string) => String.fromCharCode(parseInt(octal, 8)));
}

/** Splits at commas outside quotes: SELinux writes `context="u:r:t:s0:c1,c2"`. */
function splitOptions(text: string): string[] {
  const words = text.match(/(?:"[^"]*"|[^,"])+/g) ?? [];
  return words.map((word) => unescape(word.replace(/="(.*)"$/, '=$1')));
}

/** Value of `name=value`; absent when there is no such option. */
export function optionValue(options: readonly string[], name: string): string | undefined {
  return options.find((option) => option.startsWith(`${name}=`))?.slice(name.length + 1);
}
