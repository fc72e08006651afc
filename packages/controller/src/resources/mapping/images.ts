import type { KubeObject } from '@dr-syncer/kube';

import { isRecord, type Json, recordAt, records } from '../json.js';
import { podTemplates } from '../pod-templates.js';

/** New beginning of an image's name by its old one, for example `docker.io/library` or `quay.io`. */
export type RegistryMapping = Readonly<Record<string, string>>;

/** Rewrites the images of all containers, and images that are mounted as volumes, in place. */
export function mapImages(object: KubeObject, mapping: RegistryMapping | undefined): void {
  if (mapping === undefined) return;
  for (const template of podTemplates(object)) {
    const spec = isRecord(template['spec']) ? template['spec'] : {};
    for (const field of ['containers', 'initContainers', 'ephemeralContainers']) {
      for (const container of records(spec[field])) mapField(container, 'image', mapping);
    }
    for (const volume of records(spec['volumes'])) {
      const image = recordAt(volume, ['image']);
      if (image !== undefined) mapField(image, 'reference', mapping);
    }
  }
}

function mapField(holder: Json, field: string, mapping: RegistryMapping): void {
  const value = holder[field];
  if (typeof value === 'string') holder[field] = mappedImage(value, mapping);
}

/**
 * The image by its new name. The longest entry that is the beginning of its full name, whole parts only, counts; "*"
 * stands for the registry of all others. Names are completed as container runtimes do it: `nginx` is
 * `docker.io/library/nginx`. What no entry is for stays as it is written.
 */
export function mappedImage(image: string, mapping: RegistryMapping): string {
  const full = fullName(image);
  const [name = ''] = /^[^@]*?(?=@|:[^/]*$|$)/.exec(full) ?? [];
  const entries = Object.keys(mapping).filter((from) => from !== '*' && isBeginning(from, name));
  const longest = entries.reduce<string | undefined>(
    (best, one) => (best === undefined || one.length > best.length ? one : best),
    undefined,
  );
  if (longest !== undefined) return join(mapping[longest] ?? '', full.slice(trimmed(longest).length));
  const rest = Object.hasOwn(mapping, '*') ? mapping['*'] : undefined;
  return rest === undefined ? image : join(rest, full.slice(full.indexOf('/')));
}

function isBeginning(from: string, name: string): boolean {
  const beginning = trimmed(from);
  return name === beginning || name.startsWith(`${beginning}/`);
}

function join(to: string, rest: string): string {
  return `${trimmed(to)}${rest}`;
}

function trimmed(prefix: string): string {
  return prefix.replace(/\/$/, '');
}

/** With the registry; one is there when the first part looks like a host (github.com/distribution/reference). */
function fullName(image: string): string {
  const slash = image.indexOf('/');
  const first = image.slice(0, Math.max(slash, 0));
  if (first === 'localhost' || /[.:]/.test(first)) return image;
  return slash === -1 ? `docker.io/library/${image}` : `docker.io/${image}`;
}
