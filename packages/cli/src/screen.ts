import type { Surroundings } from './surroundings.js';

/** A terminal that a stream of this process goes to. */
export interface Screen {
  /** As wide and as high as it is now, in characters. */
  size(): { readonly columns: number; readonly rows: number };
}

const codes = { red: 31, green: 32, yellow: 33, cyan: 36, dim: 2 } as const;
export type Colour = keyof typeof codes;

/** Colours text, or leaves it as it is. */
export type Paint = (text: string, colour: Colour | undefined) => string;

/** Colour is for terminals, unless NO_COLOR is set to anything (https://no-color.org) or the terminal has none. */
export function paintFor(screen: Screen | undefined, { env }: Pick<Surroundings, 'env'>): Paint {
  const { NO_COLOR, TERM } = env;
  const plain = screen === undefined || (NO_COLOR !== undefined && NO_COLOR !== '') || TERM === 'dumb';
  return (text, colour) =>
    plain || colour === undefined ? text : `\u001b[${codes[colour]}m${text}\u001b[0m`;
}

/** Cuts a line to so many characters, not counting those that only colour it. */
export function cut(line: string, columns: number): string {
  // eslint-disable-next-line no-control-regex -- our own colour codes
  const parts = line.split(/(\u001b\[\d+m)/);
  let left = columns;
  return parts
    .map((part, index) => {
      if (index % 2 === 1) return part;
      const text = part.slice(0, left);
      left -= text.length;
      return text;
    })
    .join('');
}

/** The end of a terminal's text, which is written anew again and again. */
export class LiveLines {
  readonly #screen: Screen;
  readonly #write: (text: string) => void;
  #height = 0;

  constructor(screen: Screen, write: (text: string) => void) {
    this.#screen = screen;
    this.#write = write;
  }

  /** Shows these lines in place of those before; as many as fit. */
  show(lines: readonly string[]): void {
    const { columns, rows } = this.#screen.size();
    const room = Math.max(1, rows - 1);
    const fitting =
      lines.length <= room ? lines : [...lines.slice(0, room - 1), `(${lines.length - room + 1} more)`];
    // The last column stays free: some terminals go to the next line with it.
    const shown = fitting.map((line) => `${cut(line, columns - 1)}\u001b[K\n`).join('');
    this.#write(`${this.#back()}${shown}\u001b[J`);
    this.#height = fitting.length;
  }

  /** Takes the lines away; what is written next stands in their place. */
  clear(): void {
    if (this.#height === 0) return;
    this.#write(`${this.#back()}\u001b[J`);
    this.#height = 0;
  }

  #back(): string {
    return this.#height === 0 ? '' : `\u001b[${this.#height}F`;
  }
}
