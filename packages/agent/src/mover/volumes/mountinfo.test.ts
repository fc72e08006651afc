import { readFile } from 'node:fs/promises';

import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';

import { optionValue, parseMountinfo } from './mountinfo.js';

const plain = '36 35 98:0 /mnt1 /mnt2 rw,noatime master:1 - ext3 /dev/root rw,errors=continue';

describe('Given lines of mountinfo', () => {
  test('When there are optional fields, then what follows the dash is still found', () => {
    const lines = [
      plain,
      '1 0 8:1 / / rw - ext4 /dev/sda1 rw',
      '2 1 0:5 / /x rw shared:1 master:2 propagate_from:3 unbindable - tmpfs tmpfs ro',
    ];
    const mounts = parseMountinfo(`${lines.join('\n')}\n`);
    expect(mounts.map((m) => [m.id, m.fsType, m.superOptions])).toEqual([
      [36, 'ext3', ['rw', 'errors=continue']],
      [1, 'ext4', ['rw']],
      [2, 'tmpfs', ['ro']],
    ]);
    expect(mounts[0]).toEqual({
      id: 36,
      parentId: 35,
      dev: '98:0',
      root: '/mnt1',
      mountPoint: '/mnt2',
      options: ['rw', 'noatime'],
      fsType: 'ext3',
      source: '/dev/root',
      superOptions: ['rw', 'errors=continue'],
    });
  });

  test('When a name holds blanks, a newline or a backslash, then it is read as it is', () => {
    const [mount] = parseMountinfo(
      '3 1 0:6 /a\\134b /with\\040blank\\012line\\011tab rw - nfs4 srv:/x\\040y rw',
    );
    expect(mount).toMatchObject({ root: '/a\\b', mountPoint: '/with blank\nline\ttab', source: 'srv:/x y' });
  });

  test.each([
    ['seclabel', 'rw,seclabel,attr2', ['rw', 'seclabel', 'attr2'], undefined],
    [
      'a quoted context with two categories',
      'rw,context="system_u:object_r:container_file_t:s0:c1,c2",attr2',
      ['rw', 'context=system_u:object_r:container_file_t:s0:c1,c2', 'attr2'],
      'system_u:object_r:container_file_t:s0:c1,c2',
    ],
    ['a bare context', 'context=a_u:b_r:c_t:s0,rw', ['context=a_u:b_r:c_t:s0', 'rw'], 'a_u:b_r:c_t:s0'],
    ['no options', '', [], undefined],
  ])('When the file system has %s, then options are told apart', (_name, text, options, context) => {
    const [mount] = parseMountinfo(`3 1 0:6 / /v rw - xfs /dev/x ${text}`);
    expect(mount?.superOptions).toEqual(options);
    expect(optionValue(mount?.superOptions ?? [], 'context')).toBe(context);
  });

  test.each(['', 'nonsense', '1 2 3', 'x 1 0:1 / / rw - a b c', '1 1 0:1 / / rw master:1 ext4 a rw'])(
    'When a line is no mount (%j), then only it is passed over',
    (line) => {
      expect(parseMountinfo(`${line}\n${plain}\n`).map((m) => m.id)).toEqual([36]);
    },
  );

  test('When the text is anything at all, then nothing is thrown', () => {
    fc.assert(fc.property(fc.string({ unit: 'binary' }), (text) => parseMountinfo(text).length >= 0));
  });

  test("When it is this machine's, then the root is among the mounts", async () => {
    const mounts = parseMountinfo(await readFile('/proc/self/mountinfo', 'utf8'));
    expect(mounts.some((m) => m.mountPoint === '/proc' && m.fsType === 'proc')).toBe(true);
  });
});
