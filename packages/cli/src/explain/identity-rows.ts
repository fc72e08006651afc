import type { EndIdentity } from '@dr-syncer/api';
import type { VolumeExplanation } from '@dr-syncer/controller';

type Row = readonly string[];

/** The order in which a person asks for them. */
const fields = [
  'uid',
  'gid',
  'groups',
  'capabilities',
  'umask',
  'fsGroup',
  'fsGroupChangePolicy',
  'seLinuxLabel',
  'seLinuxChangePolicy',
] as const satisfies readonly (keyof EndIdentity)[];

/** For people: a row a value, with where it comes from; refusals, notes and losses below those of their volume. */
export function identityRows(volumes: readonly VolumeExplanation[]): Row[] {
  return [['VOLUME', 'END', 'FIELD', 'VALUE', 'ORIGIN'], ...volumes.flatMap(volumeRows)];
}

function volumeRows({ name, identity, refusals, losses }: VolumeExplanation): Row[] {
  const { source, destination, idMap, notes = [] } = identity;
  return [
    [name, 'both', 'privileged', identity.privileged ? 'yes' : 'no', identity.reason],
    ...endRows(name, 'source', source),
    ...endRows(name, 'destination', destination),
    ...refusals.map(({ end, path, value, allowed, remedy }) => [
      ...[name, end, path, value],
      `REFUSED, allowed: ${allowed}. ${remedy}`,
    ]),
    ...(idMap?.users ?? []).map((pair) => [
      name,
      'destination',
      'user map',
      pair,
      'ranges of the namespaces',
    ]),
    ...(idMap?.groups ?? []).map((pair) => [
      ...[name, 'destination', 'group map', pair],
      'ranges of the namespaces',
    ]),
    ...notes.map((note) => [name, 'both', 'note', '', note]),
    ...losses.map(({ what, description }) => [name, 'destination', 'not kept', what, description]),
  ];
}

function endRows(name: string, end: string, identity: EndIdentity | undefined): Row[] {
  if (identity === undefined) return [];
  return fields.flatMap((field) => {
    const value = identity[field];
    if (value === undefined) return [];
    const text = Array.isArray(value) ? value.join(',') || 'none' : String(value);
    return [[name, end, field, text, identity.origins[field] ?? '']];
  });
}
