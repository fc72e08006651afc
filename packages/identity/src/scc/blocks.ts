import { MAX_ID } from '@dr-syncer/api';
import { failure, success, type Outcome } from './outcome.js';

/** Ids from `start` to `end`, both included. */
export interface Block {
  readonly start: number;
  readonly end: number;
}

/** White space as Go's fmt counts it, but for the newline, which ends a scan: not quite JavaScript's `\s`. */
const blanks = '([\\t\\v\\f\\r \\u0085\\u00a0\\u1680\\u2000-\\u200a\\u2028\\u2029\\u202f\\u205f\\u3000]*)';
const block = new RegExp(`^${blanks}(\\d+)([/-])${blanks}(\\d+)(.*)$`, 's');

/**
 * One block of the annotations `openshift.io/sa.scc.uid-range` and `.supplemental-groups`: `start/size` or
 * `start-end`, decimal, blanks only before a number and at the end. OpenShift reads it with Go's `Sscanf` and 32-bit
 * arithmetic (openshift/library-go pkg/security/uid), which takes more; what it takes and this refuses carries a
 * `StricterRule`. Never accepts what OpenShift refuses.
 */
export function parseBlock(text: string): Outcome<Block> {
  const match = block.exec(text);
  if (!match) return failure(`${quoted(text)} is not of the form start/size or start-end`, 'Syntax');
  const [, indent = '', first = '', sign, gap = '', second = '', tail = ''] = match;
  const start = Number(first);
  const number = Number(second);
  // Beyond 32 bits OpenShift refuses too. "1-5/2" it reads in the slash form, where the sign does not fit.
  if (start > 0xffffffff || number > 0xffffffff || (sign === '-' && tail.includes('/'))) {
    return failure(`${quoted(text)} is not a block of ids`, 'Syntax');
  }
  if (/[^ \t]/.test(indent + gap))
    return failure(`${quoted(text)} has white space other than blanks and tabs`, 'OddBlank');
  if (/[^ \t]/.test(tail)) return failure(`${quoted(text)} goes on after the block`, 'TrailingText');
  return sign === '/' ? sized(text, start, number) : bounded(text, start, number);
}

/** A comma separated list of blocks; at least one. */
export function parseBlocks(text: string): Outcome<readonly Block[]> {
  const blocks: Block[] = [];
  for (const segment of text.split(',')) {
    const block = parseBlock(segment);
    if (!block.ok) return block;
    blocks.push(block.value);
  }
  return success(blocks);
}

/** Annotations may have 256 KiB; messages may not. */
function quoted(text: string): string {
  return JSON.stringify(text.length > 64 ? `${text.slice(0, 64)}...` : text);
}

function sized(text: string, start: number, size: number): Outcome<Block> {
  const end = start + size - 1;
  // In 32 bits "0/0" is every id there is, root included.
  if (end < 0 || end > 0xffffffff)
    return failure(`${quoted(text)} wraps around the end of the ids`, 'WrappedBlock');
  if (size === 0) return failure(`${quoted(text)} has no ids in it`, 'EmptyBlock');
  return inRange(text, start, end);
}

function bounded(text: string, start: number, end: number): Outcome<Block> {
  if (end < start) return failure(`${quoted(text)} ends before it starts`, 'InvertedBlock');
  return inRange(text, start, end);
}

function inRange(text: string, start: number, end: number): Outcome<Block> {
  if (end > MAX_ID)
    return failure(`${quoted(text)} goes beyond ${MAX_ID}, the last id of Kubernetes`, 'IdTooLarge');
  return success({ start, end });
}
