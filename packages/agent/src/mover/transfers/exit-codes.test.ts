import { readFileSync } from 'node:fs';
import { join } from 'node:path';

import { errorTable } from '@dr-syncer/api';
import { describe, expect, test } from '@jest/globals';

import { exitTable } from './exit-codes.js';

describe('Given the reference page of transfer errors', () => {
  const cells = readFileSync(
    join(import.meta.dirname, '../../../../../docs/reference/transfer-errors.md'),
    'utf8',
  )
    .split('\n')
    .filter((line) => line.startsWith('|'))
    .map((line) =>
      line
        .split('|')
        .slice(1, -1)
        .map((cell) => cell.trim()),
    );

  test.each(Object.entries(exitTable))('Then it says of exit code %s what the agent does', (code, entry) => {
    expect(cells).toContainEqual([
      code,
      entry.meaning,
      entry.error === undefined ? '(success)' : `\`${entry.error}\``,
      entry.transient ? 'yes' : 'no',
    ]);
  });

  test('Then every reason that an exit code leads to is there with its remedy', () => {
    for (const { error } of Object.values(exitTable)) {
      if (error === undefined) continue;
      const { kind, remedy } = errorTable[error];
      expect(cells).toContainEqual([`\`${error}\``, kind, remedy]);
    }
  });
});
