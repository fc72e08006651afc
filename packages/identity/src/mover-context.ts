import { MAX_ID } from '@dr-syncer/api';
import { canonicalLevel } from './mcs.js';
import { shown, type Refusal } from './refusal.js';

export const MOVER_CONTEXT = 'spec.moverSecurityContext';

/** What a `moverSecurityContext` asks for, checked field by field but not yet against the namespace. */
export interface MoverContext {
  runAsUser?: number;
  runAsGroup?: number;
  runAsNonRoot?: boolean;
  fsGroup?: number;
  supplementalGroups?: number[];
  fsGroupChangePolicy?: 'OnRootMismatch' | 'Always';
  seLinuxChangePolicy?: 'MountOption' | 'Recursive';
  /** Level in its canonical spelling. */
  seLinuxOptions?: { level?: string; user?: string; role?: string; type?: string };
}

/** setgroups(2) takes far more, but nobody means more than this, and an `Identity` holds no more. */
export const MAX_GROUPS = 64;

const ids = `0-${MAX_ID}`;

/** How a field is read: a refusal, or its value put into the context. */
type Reader = (value: unknown, context: MoverContext) => Omit<Refusal, 'path' | 'value'> | null;

/**
 * The fields of a PodSecurityContext (core/v1 of Kubernetes 1.37) by what a process on the node can make of them.
 * What it can't honour is refused by name: ignoring it would be a promise that nobody keeps.
 */
const readers: Readonly<Record<string, Reader>> = {
  runAsUser: idInto('runAsUser'),
  runAsGroup: idInto('runAsGroup'),
  fsGroup: idInto('fsGroup'),
  supplementalGroups: readGroups,
  runAsNonRoot: (value, context) => {
    if (typeof value !== 'boolean') return { allowed: 'true or false', remedy: 'Correct or remove it.' };
    context.runAsNonRoot = value;
    return null;
  },
  fsGroupChangePolicy: (value, context) => {
    if (value !== 'OnRootMismatch' && value !== 'Always') return oneOf('OnRootMismatch', 'Always');
    context.fsGroupChangePolicy = value;
    return null;
  },
  seLinuxChangePolicy: (value, context) => {
    if (value !== 'MountOption' && value !== 'Recursive') return oneOf('MountOption', 'Recursive');
    context.seLinuxChangePolicy = value;
    return null;
  },
  // Groups are always exact here; "Merge" would take some from an image, and there is none.
  supplementalGroupsPolicy: (value) => (value === 'Strict' ? null : oneOf('Strict')),
  // The mover's container runs with the runtime's default profile, and so do its children. Another profile can't be
  // taken on by one of them.
  seccompProfile: (value) => (isRuntimeDefault(value) ? null : oneOf('{"type":"RuntimeDefault"}')),
  appArmorProfile: notHonoured('Processes on the node keep the profile of the agent.'),
  sysctls: notHonoured('A transfer runs in no pod of its own, so there is no namespace to set them in.'),
  windowsOptions: notHonoured('Volumes are copied on Linux nodes only.'),
};

/** Parts of `seLinuxOptions`. Files get user and level of a container; role and type belong to its process. */
const seLinuxReaders: Readonly<Record<string, Reader>> = {
  level: (value, { seLinuxOptions = {} }) => {
    const level = typeof value === 'string' ? canonicalLevel(value) : null;
    if (level === null) return { allowed: 'a level such as s0:c1,c2', remedy: 'Correct or remove it.' };
    seLinuxOptions.level = level;
    return null;
  },
  user: (value, { seLinuxOptions = {} }) => {
    if (typeof value !== 'string' || !/^[A-Za-z][A-Za-z0-9_]{0,63}$/.test(value))
      return oneOf('a name such as system_u');
    seLinuxOptions.user = value;
    return null;
  },
  role: (value, { seLinuxOptions = {} }) => {
    if (value !== 'system_r') return oneOf('system_r');
    seLinuxOptions.role = value;
    return null;
  },
  type: (value, { seLinuxOptions = {} }) => {
    if (value !== 'container_t') return oneOf('container_t');
    seLinuxOptions.type = value;
    return null;
  },
};

/** @param raw a PodSecurityContext as JSON; undefined or null: nothing is asked for. */
export function parseMoverContext(raw: unknown): { context: MoverContext; refusals: Refusal[] } {
  const context: MoverContext = {};
  if (raw === undefined || raw === null) return { context, refusals: [] };
  const refusals = readFields(raw, MOVER_CONTEXT, { ...readers, seLinuxOptions: () => null }, context);
  const seLinux = isObject(raw) ? raw['seLinuxOptions'] : undefined;
  if (seLinux !== undefined && seLinux !== null) {
    context.seLinuxOptions = {};
    refusals.push(...readFields(seLinux, `${MOVER_CONTEXT}.seLinuxOptions`, seLinuxReaders, context));
  }
  return { context, refusals };
}

function readFields(
  raw: unknown,
  path: string,
  table: Readonly<Record<string, Reader>>,
  context: MoverContext,
): Refusal[] {
  if (!isObject(raw))
    return [{ path, value: shown(raw), allowed: 'an object', remedy: 'Correct or remove it.' }];
  const refusals: Refusal[] = [];
  for (const [name, value] of Object.entries(raw)) {
    if (value === undefined || value === null) continue;
    const reader = Object.hasOwn(table, name) ? table[name] : undefined;
    const refusal = reader ? reader(value, context) : unknownField();
    if (refusal) refusals.push({ path: `${path}.${name}`, value: shown(value), ...refusal });
  }
  return refusals;
}

function unknownField(): ReturnType<Reader> {
  return {
    allowed: 'not set',
    remedy: 'It is no field of a PodSecurityContext that a transfer can honour; remove it.',
  };
}

function idInto(field: 'runAsUser' | 'runAsGroup' | 'fsGroup'): Reader {
  return (value, context) => {
    if (!isId(value))
      return { allowed: ids, remedy: 'Ids of Kubernetes are 31-bit numbers; correct or remove it.' };
    context[field] = value;
    return null;
  };
}

function readGroups(value: unknown, context: MoverContext): ReturnType<Reader> {
  if (!Array.isArray(value) || value.length > MAX_GROUPS || !value.every(isId)) {
    return { allowed: `at most ${MAX_GROUPS} ids of ${ids}`, remedy: 'Correct or remove it.' };
  }
  context.supplementalGroups = [...value];
  return null;
}

function notHonoured(why: string): Reader {
  // An empty list asks for nothing.
  return (value) =>
    Array.isArray(value) && value.length === 0 ? null : { allowed: 'not set', remedy: `${why} Remove it.` };
}

function oneOf(...values: string[]): { allowed: string; remedy: string } {
  return { allowed: values.join(' or '), remedy: 'Correct or remove it.' };
}

function isRuntimeDefault(value: unknown): boolean {
  return isObject(value) && value['type'] === 'RuntimeDefault' && value['localhostProfile'] === undefined;
}

export function isId(value: unknown): value is number {
  return typeof value === 'number' && Number.isInteger(value) && value >= 0 && value <= MAX_ID;
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
