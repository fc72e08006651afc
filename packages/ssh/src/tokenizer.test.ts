import { spawnSync } from 'node:child_process';
import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { RequestRefused } from './refusals.js';
import { tokenizeCommand } from './tokenizer.js';

function codeOf(text: string): string {
  try {
    return JSON.stringify(tokenizeCommand(text));
  } catch (err) {
    if (err instanceof RequestRefused) return err.code;
    throw err;
  }
}

/** As rsync's `safe_arg` does it for the value of an option. */
function escapeAsRsync(word: string): string {
  return word.replace(/[!#$&;|<>(){}"'` \t\\*?[\]]/g, '\\$&');
}

describe('Given what rsync clients send', () => {
  test.each([
    ['rsync --server . /d', ['rsync', '--server', '.', '/d']],
    ['  rsync \t --server  ', ['rsync', '--server']],
    ['rsync --partial-dir .t\\ mp', ['rsync', '--partial-dir', '.t mp']],
    ['--usermap=\\*:100', ['--usermap=*:100']],
    [
      `/d/ü\\(x\\)\\'y\\"z\\#~\\{b\\}\\$\\&\\|\\<\\>\\;\\!\\\`^%\\\\\\ q`,
      ['/d/ü(x)\'y"z#~{b}$&|<>;!`^%\\ q'],
    ],
    ['--suffix=~', ['--suffix=~']],
    [`'a b'"c \\" d"e`, [`a bc " de`]],
    [`'' ""`, ['', '']],
    [`'a\\'`, ['a\\']],
    [`"\\n"`, ['\\n']],
    ['', []],
  ])('When the text is %j Then the words are %j', (text, words) => {
    expect(tokenizeCommand(text)).toEqual(words);
  });
});

describe('Given text that a shell would act upon', () => {
  test.each([
    ['a; b', 'ShellSyntax'],
    ['a $(id)', 'ShellSyntax'],
    ['a $HOME', 'ShellSyntax'],
    ['a `id`', 'ShellSyntax'],
    ['a | b', 'ShellSyntax'],
    ['a && b', 'ShellSyntax'],
    ['a > /f', 'ShellSyntax'],
    ['a < /f', 'ShellSyntax'],
    ['a *', 'ShellSyntax'],
    ['a ?', 'ShellSyntax'],
    ['a [b]', 'ShellSyntax'],
    ['a {b,c}', 'ShellSyntax'],
    ['a (b)', 'ShellSyntax'],
    ['! a', 'ShellSyntax'],
    ['a # b', 'ShellSyntax'],
    ['~root', 'ShellSyntax'],
    ['a ~', 'ShellSyntax'],
    ['a "$(id)"', 'Malformed'],
    ['a "`id`"', 'Malformed'],
    ["a 'b", 'Malformed'],
    ['a "b', 'Malformed'],
    ['a\\', 'Malformed'],
    ['a\nb', 'Malformed'],
    ['a\\\nb', 'Malformed'],
    ['a\rb', 'Malformed'],
    ['a\0b', 'Malformed'],
    ['a\x1b[2J', 'Malformed'],
    ['a\x7f', 'Malformed'],
    ['a\ufffd', 'Malformed'],
    ['a\ud800', 'Malformed'],
    ['a\u00a0b', 'ShellSyntax'],
    ['x'.repeat(16 * 1024 + 1), 'TooLong'],
    ['ü'.repeat(8 * 1024 + 1), 'TooLong'],
    ['a '.repeat(129), 'TooLong'],
  ])('When the text is %j Then the code is %s', (text, code) => {
    expect(codeOf(text)).toBe(code);
  });

  test('When it is refused Then the message is one printable line', () => {
    expect(() => tokenizeCommand('a\u{1f600}$')).toThrow(/^the request holds \$ without/);
    expect(new RequestRefused('Malformed', 'a\x1b[31m\nü'.repeat(99)).message).toMatch(
      /^[\x20-\x7e]{1,203}$/,
    );
  });
});

describe('Given any words', () => {
  const word = fc
    .string({ unit: 'binary', minLength: 1, maxLength: 30 })
    .filter((text) => !/[^\P{Cc}\t]|[\ufffd\p{Surrogate}]|[^\S \t]|^~/u.test(text) && text.trim() !== '');

  test('When they are protected as rsync does it Then they come back', () => {
    fc.assert(
      fc.property(fc.array(word, { maxLength: 20 }), (words) => {
        expect(tokenizeCommand(words.map(escapeAsRsync).join(' '))).toEqual(words);
      }),
    );
  });

  test('When any text is read Then it is refused with a typed error or a shell reads the same', () => {
    const piece = fc.constantFrom(
      ...['a', 'b', '/', '.', '-', '=', '~', '^', '%', '@', ',', ':', '+', 'ü', ' ', '  ', '\t'],
      ...[
        '\\',
        '"',
        "'",
        '$',
        '`',
        '*',
        '?',
        '[',
        ']',
        '{',
        '}',
        '#',
        '!',
        ';',
        '&',
        '|',
        '<',
        '>',
        '(',
        ')',
        '\n',
      ],
    );
    let accepted = 0;
    fc.assert(
      fc.property(fc.array(piece, { maxLength: 12 }), (pieces) => {
        const text = pieces.join('');
        if (/^[A-Z][A-Za-z]+$/.test(codeOf(text))) return;
        accepted++;
        const shell = spawnSync('/bin/sh', ['-fc', `set -- ${text}\nfor w; do printf '%s\\0' "$w"; done`]);
        expect(
          tokenizeCommand(text)
            .map((each) => `${each}\0`)
            .join(''),
        ).toBe(shell.stdout.toString());
      }),
      { numRuns: 1500 },
    );
    expect(accepted).toBeGreaterThan(50);
  });
});
