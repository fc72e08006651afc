import { open } from 'node:fs/promises';

import { DrError, Secret } from '@dr-syncer/api';
import { checkPermissions, Cluster, expiryCondition } from '@dr-syncer/controller';
import {
  type ClusterAccess,
  credentialValidity,
  kubeToDrError,
  parseKubeconfig,
  serviceAccountOf,
} from '@dr-syncer/kube';
import { Command, Option } from 'commander';

import { CommandFailure } from '../failure.js';
import { type OutputFlags, outputFlag, print } from '../output.js';
import type { Surroundings } from '../surroundings.js';
import { parseNamespaces } from './names.js';

/** The parser refuses what is larger than 128 KiB; this much is enough to find that out. */
const READ_BYTES = 256 * 1024;

interface CheckFlags extends OutputFlags {
  readonly connect?: boolean;
  readonly namespaces?: string[];
  readonly connectivity: 'Auto' | 'Direct' | 'PortForward';
}

interface Finding {
  readonly check: string;
  readonly ok: boolean;
  readonly detail: string;
}

export function checkCommand(around: Surroundings): Command {
  const command = new Command('check')
    .description('say whether a RemoteCluster would accept a kubeconfig, and what would be refused')
    .argument('<file>', 'the kubeconfig, as it would go into the Secret')
    .option('--connect', 'also connect with it, and check its permissions')
    .option(
      '--namespaces <names>',
      'with --connect: namespaces that it has to be able to write to (a,b)',
      parseNamespaces,
    )
    .addOption(
      new Option('--connectivity <mode>', 'with --connect: spec.connectivity.mode of the RemoteCluster')
        .choices(['Auto', 'Direct', 'PortForward'])
        .default('Auto'),
    )
    .addHelpText(
      'after',
      '\nWithout --connect nothing is sent anywhere. No command in the file is run and no file it names is opened.\nEnds with 0 when everything is fine and with 1 when something is not.',
    );
  return outputFlag(command).action(async (file: string, flags: CheckFlags) => {
    const findings = await check(file, flags, around);
    const accepted = findings.every(({ ok }) => ok);
    print(around, flags, { file, accepted, findings }, () => [
      ['CHECK', 'RESULT', 'DETAIL'],
      ...findings.map(({ check: what, ok, detail }) => [what, ok ? 'ok' : 'refused', detail]),
    ]);
    if (!accepted) throw new CommandFailure();
  });
}

async function check(file: string, flags: CheckFlags, around: Surroundings): Promise<Finding[]> {
  const text = await readStart(file);
  let access: ClusterAccess;
  try {
    access = parseKubeconfig(text);
  } catch (err) {
    if (!(err instanceof DrError)) throw err;
    return refusals(err);
  }
  const offline = [
    { check: 'fields', ok: true, detail: `server ${access.server}` },
    credentials(access, new Date()),
  ];
  return flags.connect === true ? [...offline, ...(await online(access, flags, around.signal))] : offline;
}

/** One line for each field that is refused. */
function refusals({ message }: DrError): Finding[] {
  const parts = message.replace(/^kubeconfig refused: /, '').split('; ');
  return parts.map((detail) => ({ check: 'fields', ok: false, detail }));
}

function credentials(access: ClusterAccess, now: Date): Finding {
  const { token } = access;
  const account = token instanceof Secret ? serviceAccountOf(token) : undefined;
  const who =
    access.cert !== undefined
      ? 'client certificate'
      : account === undefined
        ? 'token'
        : `token of ServiceAccount ${account.namespace}/${account.name}`;
  const validity = credentialValidity(access);
  const over = validity !== undefined && validity.until <= now;
  const { message } = expiryCondition(validity, undefined, now);
  return { check: 'credentials', ok: !over, detail: `${who}. ${message}` };
}

async function online(access: ClusterAccess, flags: CheckFlags, signal: AbortSignal): Promise<Finding[]> {
  const cluster = new Cluster(access);
  try {
    const { gitVersion } = await cluster.client.version({ signal });
    const connected = { check: 'connection', ok: true, detail: `the server answers, version ${gitVersion}` };
    const wanted = {
      mode: flags.connectivity,
      deletionPolicy: 'Delete',
      namespaces: flags.namespaces ?? [],
      renewal: false,
    } as const;
    const { missing } = await checkPermissions(cluster.client, wanted, signal);
    if (missing.length === 0) {
      return [connected, { check: 'permissions', ok: true, detail: 'all that is needed' }];
    }
    return [
      connected,
      ...missing.map((detail) => ({ check: 'permissions', ok: false, detail: `may not ${detail}` })),
    ];
  } catch (err) {
    signal.throwIfAborted();
    const { code, message } = kubeToDrError(err);
    return [{ check: 'connection', ok: false, detail: `${message} (${code})` }];
  } finally {
    await cluster.close();
  }
}

/** The beginning of the file: enough for every kubeconfig, and a file without an end does no harm. */
async function readStart(file: string): Promise<Buffer> {
  const handle = await open(file, 'r').catch((err: unknown) => {
    const code = (err as NodeJS.ErrnoException).code ?? 'unknown error';
    throw new CommandFailure(`${file} cannot be read (${code})`, { cause: err });
  });
  try {
    const buffer = Buffer.alloc(READ_BYTES);
    let size = 0;
    while (size < READ_BYTES) {
      const { bytesRead } = await handle.read(buffer, size, READ_BYTES - size, null);
      if (bytesRead === 0) break;
      size += bytesRead;
    }
    return buffer.subarray(0, size);
  } finally {
    await handle.close();
  }
}
