import { existsSync } from 'node:fs';
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { argv } from 'node:process';

import { repositoryRoot } from '../cluster/paths.js';
import { readSettings } from '../cluster/settings.js';
import { accounts } from './accounts.js';
import { rbacReport } from './report.js';

/**
 * `main.js SINCE [LOG...]`: holds the roles of the manifests against what audit logs say that their accounts have asked for;
 * without a LOG against those of the local test clusters, rotated ones too. A line a finding; its exit code is 1 when there
 * is one.
 */
const [since = '', ...given] = argv.slice(2);
const logs = given.length > 0 ? given : await logsOfClusters();
if (since === '') {
  process.stderr.write('usage: main.js SINCE [LOG...]\n');
  process.exitCode = 2;
} else if (logs.length === 0) {
  process.stdout.write('no audit logs: the clusters are not ours, so nothing was held against the roles\n');
} else {
  const findings = await rbacReport(logs, await accounts(join(repositoryRoot(), 'manifests')), since);
  for (const { user, kind, what } of findings) process.stdout.write(`${kind}: ${user}: ${what}\n`);
  process.stdout.write(`${logs.length} audit logs since ${since}, ${findings.length} findings\n`);
  if (findings.length > 0) process.exitCode = 1;
}

async function logsOfClusters(): Promise<string[]> {
  const { stateDir } = readSettings();
  const folders = ['dr-source', 'dr-remote'].map((name) => join(stateDir, name)).filter(existsSync);
  const lists = await Promise.all(
    folders.map(async (folder) => {
      const names = await readdir(folder);
      return names.filter((name) => /^audit.*\.log$/.test(name)).map((name) => join(folder, name));
    }),
  );
  return lists.flat();
}
