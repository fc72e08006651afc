import { errorTable } from '@dr-syncer/api';

import { generatedFrom, table } from './table.js';

const kinds = {
  retry: 'may pass by itself, and is tried again',
  wait: 'passes when what is named changes; it is looked at then',
  terminal: 'a person has to act',
} as const;

/** docs/reference/errors.md */
export function renderErrors(): string {
  const rows = Object.entries(errorTable).map(([code, { kind, remedy }]) => [`\`${code}\``, kind, remedy]);
  const meanings = Object.entries(kinds).map(([kind, meaning]) => `- **${kind}**: ${meaning}.`);
  return `${generatedFrom('packages/api/src/errors.ts')}# Error codes

Reasons of conditions, of Events, of objects and volumes in a status, \`code\` in logs, and what the command line prints: one table.
The message beside a code names the field, object or file.

${meanings.join('\n')}

${table(['code', 'kind', 'what to do'], rows)}

Of transfers, with the exit codes of rsync: [errors of transfers](transfer-errors.md).
`;
}
