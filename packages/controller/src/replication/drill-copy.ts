import { DrError, label } from '@dr-syncer/api';
import { type KubeObject, wellKnown } from '@dr-syncer/kube';

import { copyVolume } from './copy-volume.js';
import { requireRecord, type ReverseSyncOptions } from './reverse-sync.js';
import { watched, whileStandby } from './while-standby.js';

/**
 * Copies the volumes of the standby into the namespace that somebody has made beside it for a drill. No sync of this
 * Replication writes to them meanwhile. It ends when the standby is made active, or the namespace goes.
 *
 * @throws DrError DestinationOwned, StandbyActive, DrillNotFound; KubeError
 */
export async function copyForDrill(options: ReverseSyncOptions, signal: AbortSignal): Promise<void> {
  const { remote, route, request, progress, changed } = options;
  const { client } = remote.cluster;
  const name = route.destinationNamespace;
  const standby = await client.get({ resource: wellKnown.namespaces, name }, { signal });
  requireRecord(standby, options);
  // Looked at only when its name says so: no other namespace can be asked for.
  requireDrillName(request, name);
  const drillNow = async (at: AbortSignal): Promise<KubeObject> =>
    requireDrill(await client.find({ resource: wellKnown.namespaces, name: request }, { signal: at }), {
      ...{ name: request, standby: name },
    });
  const drill = await drillNow(signal);
  const { items } = await client.list(wellKnown.persistentVolumeClaims, { namespace: request, signal });
  const claims = items.map(({ metadata }) => metadata.name);
  progress.beginVolumes(claims);
  changed();
  const end = { cluster: remote.cluster, agents: remote.agents };
  const way = {
    direction: 'forward' as const,
    source: { ...end, namespace: standby },
    destination: { ...end, namespace: drill },
  };
  const look = async (at: AbortSignal): Promise<void> => {
    await drillNow(at);
  };
  await whileStandby(client, name, signal, (idle) =>
    watched(look, 'DrillNotFound', idle, async (present) => {
      await Promise.all(claims.map((claim) => copyVolume(options, claim, way, present)));
      present.throwIfAborted();
    }),
  );
}

/** Pure. @throws DrError DrillNotFound */
export function requireDrillName(name: string, standby: string): void {
  const prefix = `${standby}-drill-`;
  if (name.startsWith(prefix) && /^[a-z0-9]{4,16}$/.test(name.slice(prefix.length))) return;
  throw new DrError('DrillNotFound', `${name} is not the name of a drill of ${standby}`);
}

/** Whoever may make namespaces in the remote has made it for this; a tenant of the source can't. Pure. */
export function requireDrill(
  namespace: KubeObject | undefined,
  { name, standby }: { readonly name: string; readonly standby: string },
): KubeObject {
  if (namespace === undefined) throw new DrError('DrillNotFound', `there is no namespace ${name}`);
  const { labels, deletionTimestamp } = namespace.metadata;
  if (labels?.[label.drillOf] === standby && deletionTimestamp === undefined) return namespace;
  throw new DrError('DrillNotFound', `namespace ${name} was not made for a drill of ${standby}`);
}
