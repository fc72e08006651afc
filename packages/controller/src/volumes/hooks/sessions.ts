import { DrError, type OpenHook, type VolumeHooks } from '@dr-syncer/api';

import { matchesSelector } from '../../resources/label-selector.js';
import { claimsOf, isPlaceholder, type Pod } from '../pods.js';
import { annotatedHooks } from './annotated.js';

export type PlannedHook = Pick<OpenHook, 'container' | 'command' | 'timeoutSeconds' | 'onError'>;

/** What is to be done in one pod around the copying of its volumes. */
export interface HookSession {
  readonly pod: string;
  readonly podUid: string;
  /** Those of its claims that are copied. */
  readonly claims: readonly string[];
  readonly pre: readonly PlannedHook[];
  readonly post: readonly PlannedHook[];
  /** What it asks for cannot be understood. */
  readonly problem?: DrError;
}

/** What the status can hold of commands that are owed. */
const MAX_HOOKS = 50;
const MAX_BYTES = 128 * 1024;

type SpecHook = NonNullable<VolumeHooks['pre']>[number];

/**
 * Which pods are brought to rest, and how: running ones of the source namespace that mount a volume which is copied, and
 * that the spec selects or that are annotated. Pure.
 *
 * @throws DrError HookInvalid: more than can be kept account of
 */
export function sessionsOf(
  hooks: VolumeHooks | undefined,
  pods: readonly Pod[],
  claims: readonly string[],
): HookSession[] {
  const sessions = pods
    .filter((pod) => pod.status?.phase === 'Running' && !isPlaceholder(pod))
    .filter(({ metadata }) => metadata.deletionTimestamp === undefined)
    .flatMap((pod) => {
      const mounted = claimsOf(pod).filter((claim) => claims.includes(claim));
      return mounted.length === 0 ? [] : [sessionOf(hooks, pod, mounted)];
    })
    .filter(({ pre, post, problem }) => pre.length + post.length > 0 || problem !== undefined)
    .sort((a, b) => (a.pod < b.pod ? -1 : 1));
  const all = sessions.flatMap(({ pre, post }) => [...pre, ...post]);
  const isLarge = Buffer.byteLength(JSON.stringify(all)) > MAX_BYTES;
  if (all.length <= MAX_HOOKS && !isLarge) return sessions;
  const what = isLarge
    ? `more than ${MAX_BYTES} bytes of commands`
    : `${all.length} hooks in ${sessions.length} pods`;
  throw new DrError(
    'HookInvalid',
    `spec.pvcConfig.hooks and annotations of pods: ${what}, and ${MAX_HOOKS} are the most; narrow podSelector down`,
  );
}

function sessionOf(hooks: VolumeHooks | undefined, pod: Pod, mounted: readonly string[]): HookSession {
  const { name, uid = '', labels } = pod.metadata;
  const planned = (list: readonly SpecHook[] = []): PlannedHook[] =>
    list
      .filter(({ podSelector }) => matchesSelector(labels, podSelector))
      .map(({ command, timeoutSeconds, onError, container = defaultContainer(pod, mounted) }) => ({
        ...{ container, command, timeoutSeconds, onError },
      }));
  const session = { pod: name, podUid: uid, claims: mounted };
  const [pre, post] = [planned(hooks?.pre), planned(hooks?.post)];
  try {
    const own = annotatedHooks(pod);
    const container = own.container ?? defaultContainer(pod, mounted);
    return {
      ...session,
      pre: own.pre === undefined ? pre : [...pre, { ...own.pre, container }],
      post: own.post === undefined ? post : [...post, { ...own.post, container }],
    };
  } catch (err) {
    if (!(err instanceof DrError)) throw err;
    return { ...session, pre: [], post: [], problem: err };
  }
}

/** As kubectl has it, but a container that has the volume before one that only comes first. */
function defaultContainer({ metadata, spec }: Pod, claims: readonly string[]): string {
  const named = metadata.annotations?.['kubectl.kubernetes.io/default-container'];
  if (named !== undefined && named !== '') return named;
  const volumes = (spec.volumes ?? [])
    .filter(({ persistentVolumeClaim: claim }) => claim !== undefined && claims.includes(claim.claimName))
    .map((volume) => volume.name);
  const containers = spec.containers ?? [];
  const mounting = containers.find((one) => one.volumeMounts?.some((mount) => volumes.includes(mount.name)));
  return (mounting ?? containers[0])?.name ?? '';
}
