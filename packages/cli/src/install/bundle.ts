import { readdirSync, readFileSync } from 'node:fs';

import type { KubeObject } from '@dr-syncer/kube';
import { parseAllDocuments } from 'yaml';

import { UsageError } from '../failure.js';

/** Rendered from manifests/ by `make generate`; the same path from source and compiled file. */
const directory = new URL('../../manifests/', import.meta.url);

export type Side = 'source' | 'remote';

/** Names after `source-`: the overlays of manifests/ that can be installed. */
export function profiles(): string[] {
  return readdirSync(directory).flatMap((file) => /^source-(.+)\.yaml$/.exec(file)?.[1] ?? []);
}

/**
 * The objects of one side. Only where an overlay has a form of its own for the remote is that taken.
 *
 * @throws UsageError when there is no such overlay
 */
export function bundle(side: Side, profile: string | undefined): KubeObject[] {
  if (profile !== undefined && !profiles().includes(profile)) {
    throw new UsageError(`--profile: there is no ${profile}; there are ${profiles().join(', ') || 'none'}`);
  }
  const files = new Set(readdirSync(directory));
  const special = `${side}-${profile ?? ''}.yaml`;
  const text = readFileSync(new URL(files.has(special) ? special : `${side}.yaml`, directory), 'utf8');
  return parseAllDocuments(text).map((document) => document.toJS() as KubeObject);
}

export interface Images {
  readonly controller?: string | undefined;
  readonly agent?: string | undefined;
  readonly placeholder?: string | undefined;
}

interface Container {
  image?: string;
  env?: { name: string; value?: string }[];
}

/** The same objects with other images. Pure. */
export function withImages(objects: readonly KubeObject[], images: Images): KubeObject[] {
  const settings = new Map([
    ['AGENT_IMAGE', images.agent],
    ['PLACEHOLDER_IMAGE', images.placeholder],
  ]);
  return objects.map((object) => {
    if (object.kind !== 'Deployment') return object;
    const copy = structuredClone(object) as KubeObject & {
      spec: { template: { spec: { containers: Container[] } } };
    };
    for (const container of copy.spec.template.spec.containers) {
      if (images.controller !== undefined) container.image = images.controller;
      for (const variable of container.env ?? []) {
        const value = settings.get(variable.name);
        if (value !== undefined) variable.value = value;
      }
    }
    return copy;
  });
}

/** Images that only a machine with the sources has. */
export function localImages(objects: readonly KubeObject[]): string[] {
  const found = JSON.stringify(objects).matchAll(/"(localhost\/[^"]+)"/g);
  return [...new Set([...found].map(([, image = '']) => image))];
}
