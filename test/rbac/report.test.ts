import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';

import { type Account, rbacReport } from './report.js';

const rules = [{ apiGroups: [''], resources: ['pods'], verbs: ['get', 'list', 'escalate'] }];
const role = (name: string, of: readonly object[]) => ({
  ...{ apiVersion: 'v1', kind: 'ClusterRole', metadata: { name }, rules: of },
});
const account = (mishaps: readonly string[] = []): Account => ({
  user: 'ours',
  roles: [role('r', rules)],
  offered: [role('o', [{ apiGroups: [''], resources: ['pods/exec'], verbs: ['get'] }])],
  mishaps,
});
const line = (verb: string, code: number, more: { user?: string; at?: string; resource?: string } = {}) => {
  const { user = 'ours', at = '2026-01-02', resource = 'pods' } = more;
  return JSON.stringify({
    ...{ user: { username: user }, verb, objectRef: { resource, namespace: 'n' } },
    ...{ responseStatus: { code }, requestReceivedTimestamp: `${at}T00:00:00Z` },
  });
};

describe('Given audit logs and the roles of an account', () => {
  let dir: string;
  const report = async (lines: readonly string[], of = account()) => {
    const log = join(dir, 'audit.log');
    await writeFile(log, `${lines.join('\n')}\n`);
    const findings = await rbacReport([log], [of], '2026-01-01T12');
    return findings.map(({ kind, what }) => `${kind}: ${what}`);
  };

  beforeAll(async () => {
    dir = await mkdtemp(join(tmpdir(), 'rbac-'));
  });
  afterAll(() => rm(dir, { recursive: true, force: true }));

  test.each<[string, string[], string[]]>([
    ['all of them were used', [line('get', 200), line('list', 200)], []],
    ['one was not', [line('get', 200)], ['unused: ClusterRole r: list pods']],
    [
      'something was refused that they do not allow',
      [line('get', 200), line('list', 200), line('delete', 403)],
      ['missing: delete pods in n'],
    ],
    [
      'something was refused that they do allow: another role was in force',
      [line('get', 200), line('list', 200), line('get', 403)],
      [],
    ],
    [
      'something was refused that is only offered',
      [line('get', 200), line('list', 200), line('get', 403, { resource: 'pods/exec' })],
      [],
    ],
    [
      'only somebody else used one',
      [line('get', 200), line('list', 200, { user: 'theirs' })],
      ['unused: ClusterRole r: list pods'],
    ],
    [
      'one was used before the time that counts',
      [line('get', 200), line('list', 200, { at: '2026-01-01' })],
      ['unused: ClusterRole r: list pods'],
    ],
  ])('When %s Then that is what is found', async (_title, lines, expected) => {
    expect(await report(lines)).toEqual(expected);
  });

  test('When only a mishap asks for one Then it is not missed', async () => {
    expect(await report([line('get', 200)], account(['ClusterRole r: list pods']))).toEqual([]);
  });
});
