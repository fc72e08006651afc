export interface Entry {
  readonly key: string;
  readonly priority: number;
}

interface Lane {
  readonly priority: number;
  readonly keys: Set<string>;
  /**
   * Stands before the first key. A fresh iterator would walk over the holes of all keys taken before (V8 keeps them
   * until it shrinks the table), which makes emptying a long queue quadratic; a live one is already past them.
   */
  cursor: Iterator<string, unknown>;
}

/** Keys, first in first out within a priority, the highest priority first. All in amortised constant time. */
export class PriorityFifo {
  /** Highest priority first. There are as many as different priorities in use, a handful. */
  #lanes: Lane[] = [];

  /** The key must not be in it already. */
  push(key: string, priority: number): void {
    this.#lane(priority).keys.add(key);
  }

  remove(key: string, priority: number): void {
    const lane = this.#lanes.find((one) => one.priority === priority);
    lane?.keys.delete(key);
    this.#drop(lane);
  }

  shift(): Entry | undefined {
    const [lane] = this.#lanes;
    if (lane === undefined) return undefined;
    const key = first(lane);
    lane.keys.delete(key);
    this.#drop(lane);
    return { key, priority: lane.priority };
  }

  clear(): void {
    this.#lanes = [];
  }

  #lane(priority: number): Lane {
    const index = this.#lanes.findIndex((lane) => lane.priority <= priority);
    const found = this.#lanes[index];
    if (found?.priority === priority) return found;
    const keys = new Set<string>();
    const lane: Lane = { priority, keys, cursor: keys.values() };
    this.#lanes.splice(index === -1 ? this.#lanes.length : index, 0, lane);
    return lane;
  }

  /** No lane is ever empty. */
  #drop(lane: Lane | undefined): void {
    if (lane?.keys.size === 0) this.#lanes.splice(this.#lanes.indexOf(lane), 1);
  }
}

function first(lane: Lane): string {
  let next = lane.cursor.next();
  if (next.done === true) {
    lane.cursor = lane.keys.values();
    next = lane.cursor.next();
  }
  return next.value as string;
}
