import { execFile } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';

import { annotation } from '@dr-syncer/api';
import { type KubeObject, wellKnown } from '@dr-syncer/kube';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { parseAllDocuments } from 'yaml';

import { CONTROLLER, mishaps, REMOTE } from '../rbac/accounts.js';
import { auditedCalls, type AuditedCall, describeCall } from '../rbac/audit-log.js';
import { describePermission, permissionsOf, unused } from '../rbac/rules.js';
import { Life } from './support/solo/life.js';
import { repository } from './support/solo/programs.js';
import { createAll, objectsOf, type Solo, startSolo } from './support/solo/solo.js';

const run = promisify(execFile);
const controller = { LEADER_ELECTION: 'true', PLACEHOLDER_TTL_SECONDS: '2' };
/** Accounts and roles of an overlay. */
async function rbacOf(overlay: string): Promise<KubeObject[]> {
  const { stdout } = await run('kubectl', ['kustomize', join(repository(), 'manifests/overlays', overlay)]);
  const objects = parseAllDocuments(stdout).map((document) => document.toJS() as KubeObject);
  return objects.filter(
    ({ apiVersion, kind }) => apiVersion.startsWith('rbac.') || kind === 'ServiceAccount',
  );
}

const callsOf = async (solo: Solo) => auditedCalls(await readFile(solo.api.auditLogPath, 'utf8'));
const refused = (calls: readonly AuditedCall[]) => {
  const ours = calls.filter(({ user, code }) => [CONTROLLER, REMOTE].includes(user) && code === 403);
  return [...new Set(ours.map(describeCall))];
};

/** One API server is source and remote; the two accounts tell the ends apart. */
describe("Given a controller with the manifests' accounts", () => {
  let solo: Solo;

  beforeAll(async () => {
    solo = await startSolo({ controller });
    await createAll(solo.client, await objectsOf('remote/rbac.yaml'));
  }, 240_000);
  afterAll(() => solo.stop(), 60_000);

  test('When it lives Then everything is done', async () => {
    const life = new Life(solo, 'shop', 'shop-dr');
    const annotations = { [annotation.privilegedMovers]: 'true' };
    const namespace = { apiVersion: 'v1', kind: 'Namespace', metadata: { name: 'shop', annotations } };
    await solo.client.create(wellKnown.namespaces, namespace);
    await life.connect();
    await life.application();
    await life.clusterWide();
    await life.replicate({
      ...{ deletionPolicy: 'Prune', prune: { enabled: true, graceSeconds: 0 }, sync: { mode: 'Continuous' } },
      clusterResources: { customResourceDefinitions: true, checkClasses: true },
    });
    await life.sync('first');
    const ref = { resource: wellKnown.namespaces, name: 'shop-dr' };
    await solo.client.patch(ref, { metadata: { annotations } }, 'merge');
    const { phase, conditions } = await life.sync('second');
    // With why, where it is not so.
    expect(`${phase}: ${JSON.stringify(conditions)}`).toMatch(/^Completed: /);
    await life.atRest();
    await life.change();
    await life.pruned();
    await life.takenBack();
    await life.rotated();
    await life.placeholdersGone();
    await life.end();
  }, 580_000);

  test('Then nothing that it asked for was refused', async () => {
    expect(refused(await callsOf(solo))).toEqual([]);
  });

  test.each([
    ['source', CONTROLLER, 'source/rbac.yaml'],
    ['remote', REMOTE, 'remote/rbac.yaml'],
  ])('Then nothing is permitted in the %s that it did not ask for', async (_end, user, file) => {
    const permissions = permissionsOf(await objectsOf(file));
    const made = (await callsOf(solo)).filter((one) => one.user === user && one.code !== 403);
    // Asked for by the API server itself, when a Role or a binding is written that grants more than the account has.
    const asked = permissions.filter(({ verb }) => verb !== 'escalate' && verb !== 'bind');
    const idle = unused(asked, made).map(describePermission);

    expect(idle.filter((permission) => !mishaps.includes(permission))).toEqual([]);
  });
});

describe('Given accounts that are held to named namespaces', () => {
  let solo: Solo;

  beforeAll(async () => {
    const ofSource = await rbacOf('source-named-namespaces');
    const inShop = ({ metadata }: KubeObject) => metadata.namespace === 'shop';
    solo = await startSolo({ controller, rbac: ofSource.filter((one) => !inShop(one)) });
    const annotations = { [annotation.privilegedMovers]: 'true' };
    for (const name of ['shop', 'shop-dr', 'bank']) {
      await solo.client.create(wellKnown.namespaces, {
        ...{ apiVersion: 'v1', kind: 'Namespace', metadata: { name, annotations } },
      });
    }
    const ofRemote = (await rbacOf('remote-named-namespaces')).map((one) => ({
      ...one,
      ...(inShop(one) && { metadata: { ...one.metadata, namespace: 'shop-dr' } }),
    }));
    await createAll(solo.client, [...ofSource.filter(inShop), ...ofRemote]);
  }, 240_000);
  afterAll(() => solo.stop(), 60_000);

  test('When a namespace of those is replicated Then everything is done', async () => {
    const life = new Life(solo, 'shop', 'shop-dr');
    await life.connect();
    await life.application();
    await life.replicate({
      ...{ deletionPolicy: 'Prune', prune: { enabled: true, graceSeconds: 0 } },
      clusterResources: { checkClasses: true },
    });
    expect((await life.sync('first')).phase).toBe('Completed');
    await life.change();
    await life.pruned();
    await life.takenBack();
    await life.placeholdersGone();
    await life.end();
  }, 400_000);

  test('Then the pods of the whole cluster is all that was refused', async () => {
    expect(refused(await callsOf(solo)).filter((call) => call !== 'list pods')).toEqual([]);
  });
});
