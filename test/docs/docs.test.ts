import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';

import type { KubeObject } from '@dr-syncer/kube';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { parseAllDocuments } from 'yaml';

import { type ApiServer, startApiServer } from '../cluster/index.js';
import { kubectl } from '../manifests/render.js';
import { anchorsOf, blocksOf, codeOf, commandsOf, isThere, linksOf, pagesOf } from './markdown.js';

const root = join(import.meta.dirname, '../..');
const pages = pagesOf(root);
const table = pages.map((page) => [page.path, page] as const);
const shells = new Set(['sh', 'bash', 'shell', 'console']);
const program = join(root, 'packages/cli/dist/main.js');

const parsed = (text: string) =>
  parseAllDocuments(text).map((one) => ({ one, value: one.toJS() as unknown }));

describe.each(table)('Given %s', (_path, page) => {
  test('Then its links lead somewhere', () => {
    const dead = linksOf(page).filter(([path, anchor]) => {
      if (!isThere(root, path)) return true;
      const target = pages.find((one) => one.path === path);
      return anchor !== '' && target !== undefined && !anchorsOf(target).has(anchor);
    });

    expect(dead).toEqual([]);
  });

  test('Then its YAML can be read', () => {
    const broken = blocksOf(page)
      .filter(({ language }) => language === 'yaml')
      .filter(({ text }) => parsed(text).some(({ one }) => one.errors.length > 0));

    expect(broken).toEqual([]);
  });
});

/** The words of commands in shell blocks and in the text that begin with one of these programs. */
function callsOf(name: string): [string, string[]][] {
  return pages.flatMap((page) => {
    const inBlocks = blocksOf(page)
      .filter(({ language }) => shells.has(language) || language === '')
      .flatMap(({ text }) => commandsOf(text));
    const lines = [...inBlocks, ...codeOf(page)];
    return lines
      .map((line) => line.split(/\s+/))
      .filter(([first]) => first === name)
      .map((words): [string, string[]] => [page.path, words.slice(1)]);
  });
}

test('Given the documentation Then each target of make that it names is there', () => {
  const makefile = readFileSync(join(root, 'Makefile'), 'utf8');
  const targets = new Set([...makefile.matchAll(/^([a-z-]+):/gm)].map(([, name]) => name));
  const named = callsOf('make').flatMap(([path, words]) =>
    words
      .filter((word) => /^[a-z-]+$/.test(word) && !word.startsWith('-'))
      .map((word) => [path, word] as const),
  );

  expect(named.length).toBeGreaterThan(10);
  expect(named.filter(([, name]) => !targets.has(name))).toEqual([]);
});

test('Given the documentation Then each directory that kubectl is to apply is there', () => {
  const named = callsOf('kubectl').flatMap(([path, words]) => {
    const at = words.indexOf('-k');
    const directory = words[at + 1] ?? '';
    // `manifests/...` stands for any.
    return at === -1 || directory === '' || directory.endsWith('...') ? [] : [[path, directory] as const];
  });

  expect(named.filter(([, directory]) => !isThere(root, join(directory, 'kustomization.yaml')))).toEqual([]);
});

describe('Given the command line', () => {
  const helps = new Map<string, string>();
  const help = (command: readonly string[]): string => {
    const key = command.join(' ');
    const known = helps.get(key);
    if (known !== undefined) return known;
    const text = execFileSync(process.execPath, [program, ...command, '--help'], { encoding: 'utf8' });
    helps.set(key, text);
    return text;
  };
  const commandsIn = (text: string): string[] => {
    const list = /Commands:\n([\s\S]*)/.exec(text)?.[1] ?? '';
    return [...list.matchAll(/^ {2}(\w[\w-]*)/gm)]
      .map(([, name]) => name ?? '')
      .filter((name) => name !== 'help');
  };

  test('Then each of its commands and flags that the documentation names is there', () => {
    const problems: string[] = [];
    for (const [path, words] of callsOf('dr-syncer')) {
      const command: string[] = [];
      for (const word of words) {
        const subcommands = commandsIn(help(command));
        if (subcommands.length === 0 || word.startsWith('-')) break;
        if (!subcommands.includes(word)) {
          problems.push(`${path}: dr-syncer ${[...command, word].join(' ')} is no command`);
          break;
        }
        command.push(word);
      }
      const flags = words.filter((word) => /^--?[a-z]/.test(word)).map((word) => word.split('=')[0] ?? '');
      const known = help(command);
      for (const flag of flags) {
        if (!new RegExp(`(^|[\\s,])${flag}([\\s,=]|$)`, 'm').test(known)) {
          problems.push(`${path}: dr-syncer ${command.join(' ')} has no ${flag}`);
        }
      }
    }

    expect(problems).toEqual([]);
  }, 120_000);
});

describe('Given an API server with the definitions', () => {
  let server: ApiServer;
  const at = (args: readonly string[], input: string) =>
    kubectl([...args, '--kubeconfig', server.kubeconfigPath], input);

  beforeAll(async () => {
    server = await startApiServer({ name: 'docs' });
    for (const plural of ['replications', 'remoteclusters']) {
      await at(['apply', '-f', join(root, `manifests/crds/${plural}.yaml`)], '');
    }
    await at(['wait', '--for=condition=Established', 'crd', '--all', '--timeout=60s'], '');
    await at(['create', 'namespace', 'dr-syncer-system'], '');
  }, 240_000);
  afterAll(async () => {
    await server.stop();
  });

  /** Parts of a spec as whole objects of each kind that they can belong to. */
  const whole = (value: unknown): KubeObject[][] => {
    if (typeof value !== 'object' || value === null) return [];
    const object = value as Partial<KubeObject> & { spec?: object };
    if (object.kind !== undefined) {
      return object.apiVersion?.startsWith('dr-syncer.io/') === true ? [[object as KubeObject]] : [];
    }
    if (object.spec === undefined || Object.keys(object).length !== 1) return [];
    const metadata = { name: 'x', namespace: 'dr-syncer-system' };
    const of = (kind: string, needed: object) => ({
      ...{ apiVersion: 'dr-syncer.io/v1alpha1', kind, metadata, spec: { ...needed, ...object.spec } },
    });
    return [[of('Replication', { destinationCluster: 'c' }), of('RemoteCluster', { kubeconfigSecret: 's' })]];
  };
  const examples = pages.flatMap((page) =>
    blocksOf(page)
      .filter(({ language }) => language === 'yaml')
      .flatMap(({ text, line }) =>
        parsed(text)
          .flatMap(({ value }) => whole(value))
          .map((kinds) => [`${page.path}:${line}`, kinds] as const),
      ),
  );

  test.each(examples)(
    'Then it takes %s',
    async (_where, kinds) => {
      const refusals: string[] = [];
      for (const object of kinds) {
        const named = { ...object, metadata: { ...object.metadata, namespace: 'dr-syncer-system' } };
        const apply = ['apply', '--dry-run=server', '--validate=strict', '-f', '-'];
        const refused = await at(apply, JSON.stringify(named)).then(
          () => undefined,
          (err: unknown) => String(err),
        );
        if (refused === undefined) return;
        refusals.push(refused);
      }
      throw new Error(refusals.join('\n'));
    },
    60_000,
  );
});
