import { createHash } from 'node:crypto';

/** What every audit line holds, beside the fields of its event. */
export interface AuditLine {
  readonly audit: string;
  /** 1, 2, 3 ... since the process started. */
  readonly seq: number;
  readonly time: string;
  /** Hash of the line before; of the first line: the start of the chain, random for each process. */
  readonly prev: string;
  /** SHA-256 of this line as it is written, without this last field. */
  readonly hash: string;
}

function digest(text: string): string {
  return createHash('sha256').update(text).digest('hex');
}

/** The line for an event, closed with its hash. `body` is a JSON object's text. */
export function seal(body: string): { readonly line: string; readonly hash: string } {
  const hash = digest(body);
  return { line: `${body.slice(0, -1)},"hash":"${hash}"}`, hash };
}

export type ChainProblem = { readonly line: number; readonly problem: 'Malformed' | 'Altered' | 'Missing' };

const sealed = /^(\{.*),"hash":"([0-9a-f]{64})"\}$/s;

/**
 * Checks audit lines one by one, in their order: each is unaltered, and none is missing between the first and the last
 * of a process. A line with the number 1 begins the chain of another process, so what is cut off at the end of a chain
 * cannot be seen in that chain: compare its last `seq` with what you have collected elsewhere.
 */
export class ChainVerifier {
  /** Lines that are in order. */
  lines = 0;
  /** Processes that wrote them. */
  chains = 0;
  #last: { readonly seq: number; readonly hash: string } | undefined;

  /** The first problem ends the check: what follows a gap proves nothing. */
  add(line: string): ChainProblem['problem'] | undefined {
    const match = sealed.exec(line);
    if (match?.[1] === undefined || match[2] === undefined) return 'Malformed';
    if (digest(`${match[1]}}`) !== match[2]) return 'Altered';
    const { seq, prev } = JSON.parse(line) as AuditLine;
    const begins = seq === 1 || this.#last === undefined;
    if (!begins && (seq !== (this.#last?.seq ?? 0) + 1 || prev !== this.#last?.hash)) return 'Missing';
    if (begins) this.chains += 1;
    this.lines += 1;
    this.#last = { seq, hash: match[2] };
    return undefined;
  }
}

/** All lines of one process. Line numbers are 1-based. */
export function verifyChain(lines: readonly string[]): ChainProblem | undefined {
  const verifier = new ChainVerifier();
  for (const [index, line] of lines.entries()) {
    const problem = verifier.add(line) ?? (verifier.chains > 1 ? 'Missing' : undefined);
    if (problem !== undefined) return { line: index + 1, problem };
  }
  return undefined;
}
