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

const sealed = /^(\{.*),"hash":"([0-9a-f]{64})"\}$/s;

export type ChainProblem = { readonly line: number; readonly problem: 'Malformed' | 'Altered' | 'Missing' };

/**
 * Checks lines of one process in their order: each is unaltered, and none is missing between the first and the last.
 * Line numbers are 1-based.
 */
export function verifyChain(lines: readonly string[]): ChainProblem | undefined {
  let last: { seq: number; hash: string } | undefined;
  for (const [index, line] of lines.entries()) {
    const match = sealed.exec(line);
    if (match?.[1] === undefined || match[2] === undefined) return { line: index + 1, problem: 'Malformed' };
    if (digest(`${match[1]}}`) !== match[2]) return { line: index + 1, problem: 'Altered' };
    const { seq, prev } = JSON.parse(line) as AuditLine;
    if (last !== undefined && (seq !== last.seq + 1 || prev !== last.hash)) {
      return { line: index + 1, problem: 'Missing' };
    }
    last = { seq, hash: match[2] };
  }
  return undefined;
}
