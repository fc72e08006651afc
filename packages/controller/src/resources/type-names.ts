import type { ApiResource } from '@dr-syncer/kube';

type Named = Pick<ApiResource, 'group' | 'version' | 'plural' | 'singular' | 'kind' | 'shortNames'>;

/** `plural` or `plural.group`. */
export function typeName(plural: string, group: string): string {
  return group === '' ? plural : `${plural}.${group}`;
}

/** `Kind` or `Kind.group`, whatever the version. */
export function kindName(kind: string, group: string): string {
  return group === '' ? kind : `${kind}.${group}`;
}

/**
 * The types that a person means by a name, in any case: every type of that plural, singular or kind; if there is none,
 * every type with that short name. With a group behind it (`plural.group`, `Kind.version.group`) only those of the
 * group. `*` means all.
 */
export function typesNamed<T extends Named>(types: readonly T[], name: string): T[] {
  const wanted = name.trim().toLowerCase();
  if (wanted === '*') return [...types];
  const [plain = '', ...rest] = wanted.split('.');
  if (plain === '') return [];
  const inGroup = types.filter((type) => isGroup(type, rest));
  const byName = inGroup.filter((type) =>
    [type.plural, type.singular, type.kind].some((one) => one.toLowerCase() === plain),
  );
  if (byName.length > 0) return byName;
  return inGroup.filter((type) => type.shortNames.some((one) => one.toLowerCase() === plain));
}

/** Whether the name means this type among others, or any type when `name` is `*`. */
export function isNamed(type: Named, name: string): boolean {
  return typesNamed([type], name).length > 0;
}

function isGroup({ group, version }: Named, rest: readonly string[]): boolean {
  if (rest.length === 0) return true;
  if (rest.join('.') === group.toLowerCase()) return true;
  const [first, ...others] = rest;
  return first === version.toLowerCase() && others.join('.') === group.toLowerCase();
}
