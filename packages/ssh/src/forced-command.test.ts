import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { type ForcedCommand, parseForcedCommand, renderForcedCommand } from './forced-command.js';
import { RequestRefused } from './refusals.js';

describe('Given forced commands', () => {
  const confined = { kind: 'confined', direction: 'both', allowDelete: true, dir: '/mnt/data' } as const;
  test.each<[string, ForcedCommand]>([
    ['dr-syncer-control', { kind: 'control' }],
    ['dr-syncer-rsync /mnt/data', confined],
    ['dr-syncer-rsync --read-only /mnt/data', { ...confined, direction: 'read' }],
    [
      'dr-syncer-rsync --write-only --no-delete /mnt/data',
      { ...confined, direction: 'write', allowDelete: false },
    ],
    [
      'dr-syncer-rsync --no-delete --write-only "/a b"',
      { ...confined, direction: 'write', allowDelete: false, dir: '/a b' },
    ],
    [
      'rsync --server -vlogDtprze.iLsfxC . /mnt/data',
      { kind: 'literal', argv: ['rsync', '--server', '-vlogDtprze.iLsfxC', '.', '/mnt/data'] },
    ],
    [
      '/usr/bin/rsync --server --sender -logDtpr . /mnt/data/',
      { kind: 'literal', argv: ['rsync', '--server', '--sender', '-logDtpr', '.', '/mnt/data'] },
    ],
  ])('When %s is read Then its meaning is found', (text, meaning) => {
    expect(parseForcedCommand(text)).toEqual(meaning);
  });

  test.each([
    '',
    'sh',
    'dr-syncer-control now',
    'dr-syncer-rsync',
    'dr-syncer-rsync --read-only',
    'dr-syncer-rsync --read-only --write-only /d',
    'dr-syncer-rsync --read-only --read-only /d',
    'dr-syncer-rsync --munge /d',
    'dr-syncer-rsync d',
    'dr-syncer-rsync ../d',
    'dr-syncer-rsync /d/../e',
    'dr-syncer-rsync /d/.',
    'dr-syncer-rsync /d//e',
    'dr-syncer-rsync /d/',
    'dr-syncer-rsync /d /e',
    'dr-syncer-rsync $HOME',
    'dr-syncer-rsync ~/d',
    'rsync --daemon .',
    'rsync -a /d /e',
    'rsync --server -logDtpr . d',
    'rsync --server -logDtpr . /d/..',
    'rsync --server --log-file=/x -logDtpr . /d',
    'rsync --server -logDtpr /c . /d',
    'rsync --server -logDtpr . /c /d',
    'rsync --server -logDtpr . /d; id',
    'exec rsync --server . /d',
  ])('When %j is read Then it is refused', (text) => {
    expect(() => parseForcedCommand(text)).toThrow(RequestRefused);
    expect(() => parseForcedCommand(text)).toThrow(expect.objectContaining({ code: 'ForcedCommandInvalid' }));
  });

  test('When any confined command is rendered Then it is read back as the same', () => {
    const name = fc
      .string({ unit: 'grapheme', minLength: 1, maxLength: 12 })
      .filter((text) => !/[/\p{Cc}\ufffd]/u.test(text) && text !== '.' && text !== '..');
    const command = fc.record({
      kind: fc.constant('confined' as const),
      direction: fc.constantFrom('read' as const, 'write' as const, 'both' as const),
      allowDelete: fc.boolean(),
      dir: fc.array(name, { minLength: 1, maxLength: 4 }).map((names) => `/${names.join('/')}`),
    });
    fc.assert(
      fc.property(command, (some) => expect(parseForcedCommand(renderForcedCommand(some))).toEqual(some)),
    );
  });
});
