import { ChainVerifier } from './chain.js';

/** How every audit line begins; a container's log holds other lines beside them. */
const PREFIX = '{"audit":';

export interface AuditLogVerdict {
  /** Audit lines that are in order, and the processes that wrote them. */
  readonly lines: number;
  readonly chains: number;
  /** The first that is not; `line` counts all lines of the input, from 1. */
  readonly problem?: { readonly line: number; readonly what: 'Malformed' | 'Altered' | 'Missing' };
}

/** Checks the audit lines of a log, as `kubectl logs` prints it, in the order in which they were written. */
export async function verifyAuditLog(input: AsyncIterable<string>): Promise<AuditLogVerdict> {
  const verifier = new ChainVerifier();
  let line = 0;
  for await (const text of input) {
    line += 1;
    if (!text.startsWith(PREFIX)) continue;
    const what = verifier.add(text);
    if (what !== undefined) {
      return { lines: verifier.lines, chains: verifier.chains, problem: { line, what } };
    }
  }
  return { lines: verifier.lines, chains: verifier.chains };
}
