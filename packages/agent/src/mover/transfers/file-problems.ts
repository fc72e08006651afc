import type { FileFailure } from '@dr-syncer/ssh';

/** `rsync: [sender] send_files failed to open "/v/x": Permission denied (13)`, as rsyserr() of rsync 3.5 writes it. */
const PROBLEM = /^rsync: \[(\w+)\] (.*): ([^:"]+) \((\d+)\)$/s;
/** The last name in the line counts: of a rename it is the file, of a copy what could not be made. */
const NAME = /"((?:[^"\\]|\\.)*)"/g;

const EPERM = 1;
const EACCES = 13;

interface Need {
  readonly errno: number;
  readonly side: RegExp;
  readonly operation: RegExp;
  readonly needs: string;
}

const RECEIVING = /^(?:receiver|generator)$/i;

/**
 * Which permission each refused operation of rsync needs (measured with rsync 3.5.0 as different users; capabilities(7),
 * path_resolution(7)). The first row that matches counts.
 */
const needs: readonly Need[] = [
  {
    errno: EACCES,
    side: /^sender$/i,
    operation: /./,
    needs:
      'read permission for the identity at the source, or CAP_DAC_READ_SEARCH, which privileged movers have',
  },
  { errno: EPERM, side: RECEIVING, operation: /security\.capability/, needs: 'CAP_SETFCAP' },
  {
    errno: EPERM,
    side: RECEIVING,
    operation: /trusted\./,
    needs: 'CAP_SYS_ADMIN, which no mover is given',
  },
  { errno: EPERM, side: RECEIVING, operation: /mknod/, needs: 'CAP_MKNOD' },
  {
    errno: EPERM,
    side: RECEIVING,
    operation: /\b(?:chown|chgrp|lchown)\b/,
    needs: 'CAP_CHOWN, which privileged movers have',
  },
  {
    errno: EPERM,
    side: RECEIVING,
    operation: /\b(?:chmod|times|permissions|acl|xattr|setxattr|unlink|rmdir|rename)/,
    needs: 'to own the file at the destination, or CAP_FOWNER, which privileged movers have',
  },
  {
    errno: EACCES,
    side: RECEIVING,
    operation: /./,
    needs:
      'write and search permission in the directory at the destination, or CAP_DAC_OVERRIDE, which privileged movers have',
  },
];

/**
 * A line of rsync's about a file, taken apart; undefined when it is none.
 *
 * @param prefixes paths of the volumes at both ends: names are shown relative to them
 */
export function parseFileProblem(line: string, prefixes: readonly string[]): FileFailure | undefined {
  const match = PROBLEM.exec(line);
  const names = [...(match?.[2] ?? '').matchAll(NAME)];
  const name = names.at(-1);
  if (match === null || name === undefined) return undefined;
  const [, side = '', operation = '', error = '', errno = ''] = match;
  const what = operation.replaceAll(NAME, '').replaceAll(/\s+/g, ' ').trim();
  const missing = needs.find(
    (row) => row.errno === Number(errno) && row.side.test(side) && row.operation.test(operation),
  );
  return {
    path: printable(relativeTo(prefixes, name[1] ?? '')),
    side,
    problem: printable(`${what.replace(/:$/, '')}: ${error}`),
    ...(missing && { needs: missing.needs }),
  };
}

function relativeTo(prefixes: readonly string[], path: string): string {
  const prefix = prefixes.find((one) => path === one || path.startsWith(`${one}/`));
  if (prefix === undefined) return path;
  return path.slice(prefix.length + 1) || '.';
}

/** Bounded, and nothing in it that a terminal would take for more than a character. */
export function printable(text: string): string {
  return text.replace(/[^\x20-\x7e\u00a0-\uffff]/g, '?').slice(0, 400);
}
