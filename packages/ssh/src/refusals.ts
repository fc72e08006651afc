/**
 * Why a request for a command was refused: the stable codes that the peer reads on its standard error, the audit log
 * records and the metrics count.
 */
const table = {
  NotRsync: 'Only `rsync --server` and the forced commands of this product are run here.',
  Malformed: 'The request is not a command line that an rsync client writes.',
  TooLong: 'The request, one of its words or the number of its words is over the limit.',
  ShellSyntax: 'The request holds something that only a shell would interpret; no shell is ever used.',
  OptionNotAllowed: 'The option is not on the list of options that this server accepts for this direction.',
  OptionValueNotAllowed: 'The option is accepted, but not with this value.',
  DirectionNotAllowed:
    'The key is for the other direction: a write key cannot read, a read key cannot write.',
  DeleteNotAllowed: 'The key does not allow files to be deleted.',
  PathNotAllowed: 'Exactly one path, the one that the key is for, can be named.',
  ForcedCommandInvalid: 'The forced command of the key is not one of the two forms that this server knows.',
} as const satisfies Record<string, string>;

export type RefusalCode = keyof typeof table;

/** Code to documented meaning, for the reference page and the metrics' label values. */
export const refusalTable: Readonly<Record<RefusalCode, string>> = table;

/** A request that was refused. `message` is safe to show to the peer: short, printable, one line. */
export class RequestRefused extends Error {
  override readonly name = 'RequestRefused';
  readonly code: RefusalCode;

  constructor(code: RefusalCode, detail: string) {
    super(printable(detail));
    this.code = code;
  }
}

const MAX_DETAIL = 200;

/** Peers choose what is quoted in a detail: no control characters, no terminal escapes, no flood. */
function printable(text: string): string {
  const cut = text.length > MAX_DETAIL ? `${text.slice(0, MAX_DETAIL)}...` : text;
  return cut.replace(/[^\x20-\x7e]/g, '?');
}
