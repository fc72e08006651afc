/** Group and label that all entries of a volume should have; what is absent is left alone. */
export interface Wanted {
  readonly fsGroup?: number;
  /** As the kernel spells it. */
  readonly label?: string;
}

/** The root directory of a volume, and its file system. */
export interface RootFacts {
  readonly group: number;
  /** Permission bits, with setuid, setgid and sticky. */
  readonly mode: number;
  /** Decimal. */
  readonly inode: string;
  /** f_fsid of statfs(2), hexadecimal: of the file system's UUID, or of its device. */
  readonly fsid: string;
  readonly label?: string;
  readonly marker?: string;
}

/**
 * What the marker of a volume reads once all its entries are as wanted: an extended attribute of its root directory, so
 * that it goes where the volume goes. It is of the one directory that it names: copied along to another, or restored with
 * a snapshot on a disk of another number, it counts for nothing and all entries are looked at.
 */
export function markerText({ fsGroup, label }: Wanted, { inode, fsid }: RootFacts): string {
  return `1 inode=${inode} fs=${fsid} fsGroup=${fsGroup ?? '-'} label=${label ?? '-'}`;
}
