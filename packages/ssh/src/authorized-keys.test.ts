import { describe, expect, test } from '@jest/globals';
import { DrError } from '@dr-syncer/api';
import fc from 'fast-check';
import { matchAuthorizedKey, parseAuthorizedKeys, renderAuthorizedKey } from './authorized-keys.js';
import { generateRsaKey, generateTransferKey } from './keys.js';

const now = new Date('2026-11-21T12:00:00Z');
const key = generateTransferKey('one');
const other = generateTransferKey('two');
const control = 'command="dr-syncer-control"';

function codes(text: string): string[] {
  return parseAuthorizedKeys(text, now).problems.map((problem) => `${problem.line} ${problem.code}`);
}

describe('Given an authorized_keys file', () => {
  test('When it has the form of the documentation Then it is understood word by word', async () => {
    const rsa = await generateRsaKey(3072, 'people@example');
    const options = 'no-port-forwarding,no-X11-forwarding,no-agent-forwarding,no-pty';
    const line = `command="rsync --server -vlogDtprze.iLsfxC . /mnt/data",${options} ${rsa.publicLine}`;
    const { keys, problems } = parseAuthorizedKeys(`# agent\n\n  ${line}\r\n`, now);
    expect(problems).toEqual([]);
    expect(keys).toEqual([
      {
        line: 3,
        type: 'ssh-rsa',
        blob: rsa.blob,
        fingerprint: rsa.fingerprint,
        comment: 'people@example',
        options: {
          restrict: false,
          commandText: 'rsync --server -vlogDtprze.iLsfxC . /mnt/data',
          command: { kind: 'literal', argv: ['rsync', '--server', '-vlogDtprze.iLsfxC', '.', '/mnt/data'] },
        },
      },
    ]);
  });

  test.each([
    [`${control} ${key.publicLine}`],
    [`\t ${control}\t${key.publicLine}`],
    [`RESTRICT,Command="dr-syncer-control",No-Pty,no-user-rc ${key.publicLine}`],
    [`${control},from="10.0.0.0/8,!10.1.0.0/16" ${key.publicLine} with blanks "and quotes`],
    [`command="dr-syncer-rsync \\"/a b,c\\"",restrict ${key.publicLine}`],
    [`${control},expiry-time="20300101Z",expiry-time="20290101Z" ${key.publicLine}`],
  ])('When a line is %s Then it is taken', (line) => {
    expect(parseAuthorizedKeys(line, now)).toMatchObject({ keys: [{ blob: key.blob }], problems: [] });
  });

  test.each([
    [key.publicLine, 'NoForcedCommand'],
    [`restrict ${key.publicLine}`, 'NoForcedCommand'],
    [`command="sh" ${key.publicLine}`, 'CommandInvalid'],
    [`command="" ${key.publicLine}`, 'CommandInvalid'],
    [`command="dr-syncer-control\\" ${key.publicLine}`, 'Malformed'],
    [`command="dr-syncer-control" x ${key.publicLine}`, 'Malformed'],
    [`command=dr-syncer-control ${key.publicLine}`, 'Malformed'],
    [`command ${key.publicLine}`, 'Malformed'],
    [`${control},${control} ${key.publicLine}`, 'Malformed'],
    [`${control}, ${key.publicLine}`, 'Malformed'],
    [`,${control} ${key.publicLine}`, 'Malformed'],
    [`${control},,no-pty ${key.publicLine}`, 'Malformed'],
    [`${control},no-pty="x" ${key.publicLine}`, 'Malformed'],
    [`${control},no-ptys ${key.publicLine}`, 'UnknownOption'],
    [`${control},frobnicate="x" ${key.publicLine}`, 'UnknownOption'],
    [`${control},environment="LD_PRELOAD=/x" ${key.publicLine}`, 'OptionRefused'],
    [`${control},permitopen="h:1" ${key.publicLine}`, 'OptionRefused'],
    [`${control},permitlisten="1" ${key.publicLine}`, 'OptionRefused'],
    [`${control},tunnel="0" ${key.publicLine}`, 'OptionRefused'],
    [`cert-authority,${control} ${key.publicLine}`, 'OptionRefused'],
    [`${control},principals="root" ${key.publicLine}`, 'OptionRefused'],
    [`restrict,pty,${control} ${key.publicLine}`, 'OptionRefused'],
    [`restrict,port-forwarding,${control} ${key.publicLine}`, 'OptionRefused'],
    [`${control},from="host.example" ${key.publicLine}`, 'Malformed'],
    [`${control},from="" ${key.publicLine}`, 'Malformed'],
    [`${control},from="*",from="*" ${key.publicLine}`, 'Malformed'],
    [`${control},expiry-time="soon" ${key.publicLine}`, 'Malformed'],
    [`${control} ssh-ed25519`, 'Malformed'],
    [`${control} ssh-ed25519 AAAA`, 'Malformed'],
    [`${control} ssh-ed25519 !!!!`, 'Malformed'],
    [`${control} ssh-rsa ${key.blob.toString('base64')}`, 'Malformed'],
    [`${control} ssh-ed25519 ${Buffer.concat([key.blob, Buffer.of(0)]).toString('base64')}`, 'Malformed'],
    [`${control} ecdsa-sha2-nistp256 ${ecdsa()}`, 'KeyTypeRefused'],
    [`ecdsa-sha2-nistp256 ${ecdsa()}`, 'KeyTypeRefused'],
    [`${control} ssh-rsa ${rsaBlob(2048)}`, 'KeyTooShort'],
    [`${control} ssh-rsa ${rsaBlob(32_768)}`, 'Malformed'],
    [`${control} ssh-rsa ${rsaBlob(4096, [1])}`, 'Malformed'],
    [`${control} ssh-rsa ${rsaBlob(4096, [1, 0])}`, 'Malformed'],
    ['garbage', 'Malformed'],
    ['"', 'Malformed'],
    [`${control} ${key.publicLine}\0`, 'Malformed'],
    [`${control},${'no-pty,'.repeat(10_000)}no-pty ${key.publicLine}`, 'Malformed'],
  ])('When a line is %.80s Then it is left out and reported', (line, code) => {
    const { keys } = parseAuthorizedKeys(`\n${line}\n${control} ${other.publicLine}`, now);
    expect(codes(`\n${line}`)).toEqual([`2 ${code}`]);
    expect(keys.map((each) => each.comment)).toEqual(['two']);
  });

  test('When a key comes again with another command Then it is reported as unreachable', () => {
    const read = 'command="dr-syncer-rsync --read-only /d"';
    const text = [
      `${control} ${key.publicLine}`,
      `${read} ${key.publicLine}`,
      `${control} ${key.publicLine}`,
    ];
    expect(codes(text.join('\n'))).toEqual(['2 Unreachable']);
    expect(codes(`from="10.0.0.1",${text.join('\n')}`)).toEqual(['3 Unreachable']);
  });

  test('When a key has expired Then it is reported and still known', () => {
    const { keys, problems } = parseAuthorizedKeys(
      `expiry-time="20261121115959Z",${control} ${key.publicLine}`,
      now,
    );
    expect(problems).toMatchObject([{ line: 1, code: 'Expired' }]);
    expect(keys).toHaveLength(1);
  });

  test('When the file is huge Then it is refused as a whole and problems are bounded', () => {
    expect(codes('x'.repeat(5_000_000))).toEqual(['0 TooLarge']);
    expect(codes('x\n'.repeat(5000))).toHaveLength(1000);
  });

  test('When problems are reported Then nothing of a line is in them but names of options', () => {
    const { problems } = parseAuthorizedKeys(`command="secret stuff" ${key.publicLine} secret comment`, now);
    expect(JSON.stringify(problems)).not.toMatch(/secret|AAAA/);
  });
});

describe('Given keys and a login', () => {
  const text = [
    `from="10.0.0.1",command="dr-syncer-rsync --read-only /a" ${key.publicLine}`,
    `expiry-time="20261121Z",command="dr-syncer-rsync --read-only /b" ${key.publicLine}`,
    `from="10.0.0.0/8",command="dr-syncer-rsync --read-only /c" ${key.publicLine}`,
    `command="dr-syncer-rsync --read-only /d" ${other.publicLine}`,
    `command="dr-syncer-rsync --read-only /e" ${other.publicLine}`,
  ].join('\n');
  const { keys } = parseAuthorizedKeys(text, now);

  test.each([
    [key.blob, '10.0.0.1', now, 'accepted', 1],
    [key.blob, '10.0.0.2', now, 'accepted', 3],
    [key.blob, '10.0.0.2', new Date('2026-11-20T00:00:00Z'), 'accepted', 2],
    [key.blob, '192.0.2.1', now, 'AddressNotAllowed', 3],
    [other.blob, '192.0.2.1', now, 'accepted', 4],
    [generateTransferKey().blob, '10.0.0.1', now, 'UnknownKey', undefined],
  ])('When it comes Then the first line that fits is taken', (blob, address, at, outcome, line) => {
    const match = matchAuthorizedKey(keys, { blob, address, now: at });
    expect(match.outcome).toBe(outcome);
    expect('key' in match ? match.key.line : undefined).toBe(line);
  });

  test('When the only line has expired Then that is the reason', () => {
    expect(matchAuthorizedKey(keys.slice(1, 2), { blob: key.blob, address: '10.0.0.1', now }).outcome).toBe(
      'Expired',
    );
  });
});

describe('Given any text', () => {
  const piece = fc.oneof(
    fc.constantFrom(
      ...[
        'command="',
        'from="',
        'expiry-time="',
        '"',
        '\\"',
        '\\',
        ',',
        ' ',
        '\t',
        '\n',
        '\r',
        '#',
        '=',
        '!',
        '*',
      ],
      ...[
        'restrict',
        'no-pty',
        'environment="A=b"',
        'dr-syncer-control',
        'dr-syncer-rsync /d',
        'rsync --server . /d',
      ],
      ...[
        '10.0.0.0/8',
        '2026',
        '20270101Z',
        'ssh-ed25519',
        'ssh-rsa',
        'AAAA',
        key.publicLine,
        other.publicLine,
      ],
    ),
    fc.string({ unit: 'binary', maxLength: 6 }),
  );

  const option = fc.oneof(
    fc.constantFrom(
      'restrict',
      'no-pty',
      'NO-PTY',
      'command="dr-syncer-control"',
      'command="dr-syncer-rsync /d"',
    ),
    fc.constantFrom(
      'command="dr-syncer-rsync --no-delete \\"/a b\\""',
      'expiry-time="20270101Z"',
      'from="!::1,10.*"',
    ),
    fc.constantFrom(
      'command="rsync --server -logDtpr . /d"',
      'from="10.0.0.0/8"',
      'expiry-time="20280101"',
      'pty',
    ),
    piece,
  );
  const line = fc
    .tuple(
      fc.array(option, { minLength: 1, maxLength: 4 }),
      fc.constantFrom(key.publicLine, other.publicLine),
    )
    .map(([options, publicLine]) => `${options.join(',')} ${publicLine}`);
  const text = fc.oneof(
    fc.array(piece, { maxLength: 14 }).map((pieces) => pieces.join('')),
    fc.array(line, { maxLength: 4 }).map((lines) => lines.join('\n')),
  );

  test('When it is read as a file Then nothing is thrown, and what is used has a forced command and reads back', () => {
    let used = 0;
    fc.assert(
      fc.property(text, (some) => {
        const parsed = parseAuthorizedKeys(some, now);
        used += parsed.keys.length;
        for (const { options, type, blob } of parsed.keys) {
          const line = renderAuthorizedKey({
            publicKey: `${type} ${blob.toString('base64')}`,
            command: options.command,
            from: (options.from ?? []).map(({ negated, text }) => `${negated ? '!' : ''}${text}`),
            ...(options.expiresAt && { expiresAt: options.expiresAt }),
          });
          const again = parseAuthorizedKeys(line, new Date(0)).keys[0]?.options;
          expect(again).toMatchObject({ command: options.command });
          expect([again?.from, again?.expiresAt]).toEqual([options.from, options.expiresAt]);
        }
      }),
      { numRuns: 2000 },
    );
    expect(used).toBeGreaterThan(20);
  });
});

describe('Given a grant', () => {
  test('When it is rendered Then it is one line that reads back as the same', () => {
    const name = fc
      .string({ unit: 'grapheme', minLength: 1, maxLength: 8 })
      .filter((text) => !/[/\p{Cc}]/u.test(text));
    const spec = fc.record({
      publicKey: fc.constant(key.publicLine),
      command: fc.record({
        kind: fc.constant('confined' as const),
        direction: fc.constantFrom('read' as const, 'write' as const),
        allowDelete: fc.boolean(),
        dir: name.filter((text) => !/^\.{1,2}$|\ufffd/.test(text)).map((text) => `/vol/${text}`),
      }),
      from: fc.array(fc.ipV4(), { maxLength: 3 }),
      expiresAt: fc.date({ min: now, max: new Date('2100-01-01'), noInvalidDate: true }),
    });
    fc.assert(
      fc.property(spec, (some) => {
        const line = renderAuthorizedKey(some);
        const { keys, problems } = parseAuthorizedKeys(line, new Date(0));
        expect(line).toMatch(/^restrict,/);
        expect(problems).toEqual([]);
        expect(keys).toHaveLength(1);
        expect(keys[0]?.comment).toBe('one');
        expect(keys[0]?.options.command).toEqual(some.command);
        expect(keys[0]?.options.from?.map((pattern) => pattern.text) ?? []).toEqual(some.from);
        expect(keys[0]?.options.expiresAt?.getTime()).toBe(
          Math.floor(some.expiresAt.getTime() / 1000) * 1000,
        );
      }),
    );
  });

  const command = { kind: 'control' } as const;
  test.each([
    [{ publicKey: `${key.publicLine}\nssh-rsa AAAA`, command, from: [] }],
    [{ publicKey: 'ssh-rsa AAAA', command, from: [] }],
    [{ publicKey: key.publicLine, command, from: ['10.0.0.1" no-pty,command="sh'] }],
    [{ publicKey: key.publicLine, command, from: ['10.0.0.1\n'] }],
    [{ publicKey: key.publicLine, command, from: [], comment: 'a\nb' }],
    [{ publicKey: key.publicLine, command: { ...confinedAt('/a\nb') }, from: [] }],
    [{ publicKey: key.publicLine, command: { ...confinedAt('/a/../b') }, from: [] }],
  ])('When a part cannot be written in a line Then it is refused', (spec) => {
    expect(() => renderAuthorizedKey(spec)).toThrow(DrError);
  });
});

function confinedAt(dir: string) {
  return { kind: 'confined', direction: 'write', allowDelete: true, dir } as const;
}

function wire(...fields: Buffer[]): string {
  return Buffer.concat(
    fields.flatMap((field) => [Buffer.from(field.length.toString(16).padStart(8, '0'), 'hex'), field]),
  ).toString('base64');
}

function ecdsa(): string {
  return wire(Buffer.from('ecdsa-sha2-nistp256'), Buffer.from('nistp256'), Buffer.alloc(65, 4));
}

function rsaBlob(bits: number, exponent = [1, 0, 1]): string {
  const modulus = Buffer.alloc(bits / 8 + 1, 0xff);
  modulus[0] = 0;
  return wire(Buffer.from('ssh-rsa'), Buffer.from(exponent), modulus);
}
