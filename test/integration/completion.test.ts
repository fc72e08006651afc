import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { chmod, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';

import { customResourceDefinition, kindDefinitions } from '@dr-syncer/api';
import { replications } from '@dr-syncer/controller';
import { KubeClient, type KubeObject, parseKubeconfig, wellKnown } from '@dr-syncer/kube';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';

import { type ApiServer, startApiServer } from '../cluster/index.js';
import { cliProgram } from '../support/cli.js';
import { eventually } from '../support/eventually.js';

const run = promisify(execFile);

/** How each shell is asked for the candidates of a line, as if Tab were pressed at its end. */
const shells = {
  bash: (line: string) => [
    'bash',
    '--norc',
    '-c',
    `source <(dr-syncer completion bash)
     COMP_WORDS=(${line}) COMP_CWORD=$((\${#COMP_WORDS[@]} - 1))
     _dr_syncer
     printf '%s\\n' "\${COMPREPLY[@]}"`,
  ],
  fish: (line: string) => [
    'fish',
    '--no-config',
    '-c',
    `dr-syncer completion fish | source; complete --do-complete "${line.replace(/ ''$/, ' ')}" | cut -f 1`,
  ],
  zsh: (line: string) => [
    'zsh',
    '-f',
    '-c',
    `_describe() { print -l -- "\${(@)\${(@P)2}%%:*}" }
     compdef() { : }
     source <(dr-syncer completion zsh)
     words=(${line}) CURRENT=\${#words}
     _dr_syncer`,
  ],
} as const;

describe('Given a shell that completes dr-syncer', () => {
  let server: ApiServer;
  let bin = '';

  beforeAll(async () => {
    server = await startApiServer({ name: 'completion' });
    bin = await mkdtemp(join(tmpdir(), 'dr-syncer-completion-'));
    const program = join(bin, 'dr-syncer');
    await writeFile(program, `#!/bin/sh\nexec '${process.execPath}' '${cliProgram()}' "$@"\n`);
    await chmod(program, 0o755);
    const client = new KubeClient(parseKubeconfig(server.kubeconfig));
    for (const definition of kindDefinitions) {
      const crd = customResourceDefinition(definition) as unknown as KubeObject;
      await client.create(wellKnown.customResourceDefinitions, crd);
    }
    for (const name of ['shop', 'shelf']) {
      const object = {
        ...{ apiVersion: 'dr-syncer.io/v1alpha1', kind: 'Replication' },
        metadata: { name, namespace: 'default' },
        spec: { destinationCluster: 'standby' },
      };
      await eventually(
        'the definition',
        () => client.create(replications, object).catch(() => undefined),
        30_000,
      );
    }
    await client.close();
  }, 120_000);
  afterAll(async () => {
    await server.stop();
    await rm(bin, { recursive: true });
  });

  const present = (shell: string) => ['/bin', '/usr/bin'].some((dir) => existsSync(join(dir, shell)));
  // bash is everywhere; the others are tested where they are.
  const installed = (['bash', 'zsh', 'fish'] as const).filter((shell) => shell === 'bash' || present(shell));

  test.each(installed)(
    'When Tab is pressed in %s Then commands, options and live names are there',
    async (shell) => {
      const candidates = async (line: string): Promise<string[]> => {
        const [program = '', ...args] = shells[shell](line);
        const env = {
          PATH: `${bin}:/usr/bin:/bin`,
          KUBECONFIG: server.kubeconfigPath,
          HOME: bin,
          TERM: 'dumb',
        };
        const { stdout } = await run(program, args, { env });
        return stdout
          .split('\n')
          .filter((word) => word !== '')
          .sort();
      };

      expect(await candidates('dr-syncer stat')).toEqual(['status']);
      expect(await candidates('dr-syncer kubeconfig c')).toEqual(['check', 'create']);
      expect(await candidates("dr-syncer sync ''")).toEqual(['shelf', 'shop']);
      expect(await candidates('dr-syncer sync sho')).toEqual(['shop']);
      expect(await candidates('dr-syncer sync --wa')).toEqual(['--wait']);
      expect(await candidates("dr-syncer status -n default -o ''")).toEqual(['json', 'table', 'yaml']);
      expect(await candidates('dr-syncer status --context comp')).toEqual(['completion']);
      expect(await candidates('dr-syncer status -n def')).toEqual(['default']);
    },
    120_000,
  );
});
