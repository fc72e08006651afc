/** A running transfer's part of what its remote cluster may be sent. */
export interface BandwidthShare {
  /** Now; undefined: no limit. */
  readonly bytesPerSecond: number | undefined;
  /** Called with each new value, until `leave`. One listener. */
  onChange: ((bytesPerSecond: number) => void) | undefined;
  leave(): void;
}

interface Member {
  /** What it takes at most, by itself. */
  readonly cap: number;
  bytesPerSecond: number | undefined;
  onChange: ((bytesPerSecond: number) => void) | undefined;
}

const KIB = 1024;
/** Less than this is not told to anybody: agents take no smaller rate. */
const LEAST = 1024;

/** Shares out the bandwidth of each remote cluster among the transfers that run to it. */
export class Bandwidth {
  readonly #limitOf: (remote: string) => number;
  readonly #members = new Map<string, Set<Member>>();

  /** @param limitOf KiB per second of a remote cluster, 0: no limit; asked whenever a transfer comes or goes */
  constructor(limitOf: (remote: string) => number) {
    this.#limitOf = limitOf;
  }

  /** @param limitKiB of the volume, 0: none. The transfer leaves when it has ended. */
  join(remote: string, limitKiB: number): BandwidthShare {
    const members = this.#members.get(remote) ?? new Set();
    this.#members.set(remote, members);
    const cap = limitKiB === 0 ? Number.POSITIVE_INFINITY : limitKiB * KIB;
    const member: Member = { cap, bytesPerSecond: undefined, onChange: undefined };
    members.add(member);
    this.#share(remote, members);
    return {
      get bytesPerSecond() {
        return member.bytesPerSecond;
      },
      get onChange() {
        return member.onChange;
      },
      set onChange(listener) {
        member.onChange = listener;
      },
      leave: () => {
        member.onChange = undefined;
        if (!members.delete(member)) return;
        if (members.size === 0) this.#members.delete(remote);
        else this.#share(remote, members);
      },
    };
  }

  #share(remote: string, members: ReadonlySet<Member>): void {
    const limit = this.#limitOf(remote) * KIB;
    if (limit === 0) return;
    const all = [...members];
    const shares = fairShares(
      limit,
      all.map(({ cap }) => cap),
    );
    all.forEach((member, index) => {
      const share = Math.max(LEAST, Math.floor(shares[index] ?? limit));
      if (share === member.bytesPerSecond) return;
      member.bytesPerSecond = share;
      member.onChange?.(share);
    });
  }
}

/** The same for each; what one cannot use, since its own cap is lower, is for the others. */
export function fairShares(total: number, caps: readonly number[]): number[] {
  const shares = caps.map(() => 0);
  const byCap = caps.map((cap, index) => ({ cap, index })).sort((a, b) => a.cap - b.cap);
  let left = total;
  byCap.forEach(({ cap, index }, done) => {
    const share = Math.min(cap, left / (byCap.length - done));
    shares[index] = share;
    left -= share;
  });
  return shares;
}
