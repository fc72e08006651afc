import { DrError } from '@dr-syncer/api';
import type { KubeClient } from './client.js';
import type { CallOptions } from './client-types.js';
import { isNotFound, KubeError } from './kube-error.js';
import { type KubeObject, refOf, type Resource } from './types.js';

/*
 * Both work by JSON patch with a `test` of what the patch was computed from, so they touch this one entry and nothing
 * that others wrote meanwhile. When the list has changed, nothing is done and the reconciler comes again.
 */

/** The object with the finalizer; without a call when it is there. @throws KubeError, DrError ObjectChanged */
export async function addFinalizer<T extends KubeObject>(
  client: KubeClient,
  resource: Resource,
  object: T,
  finalizer: string,
  options: CallOptions = {},
): Promise<T> {
  const { finalizers, uid } = object.metadata;
  if (finalizers?.includes(finalizer) === true) return object;
  const none = finalizers === undefined || finalizers.length === 0;
  const patch = [
    { op: 'test', path: '/metadata/uid', value: uid },
    ...(none
      ? // `test` against null holds when the field is absent; without it a list written meanwhile would be lost.
        [
          { op: 'test', path: '/metadata/finalizers', value: null },
          { op: 'add', path: '/metadata/finalizers', value: [finalizer] },
        ]
      : [{ op: 'add', path: '/metadata/finalizers/-', value: finalizer }]),
  ];
  return patchTested(client, resource, object, patch, options);
}

/** The object without the finalizer, or `undefined` when it is gone with that. @throws KubeError, DrError ObjectChanged */
export async function removeFinalizer<T extends KubeObject>(
  client: KubeClient,
  resource: Resource,
  object: T,
  finalizer: string,
  options: CallOptions = {},
): Promise<T | undefined> {
  const index = object.metadata.finalizers?.indexOf(finalizer) ?? -1;
  if (index === -1) return object;
  const path = `/metadata/finalizers/${index}`;
  const patch = [
    { op: 'test', path: '/metadata/uid', value: object.metadata.uid },
    { op: 'test', path, value: finalizer },
    { op: 'remove', path },
  ];
  try {
    return await patchTested(client, resource, object, patch, options);
  } catch (err) {
    if (isNotFound(err)) return undefined;
    throw err;
  }
}

async function patchTested<T extends KubeObject>(
  client: KubeClient,
  resource: Resource,
  object: T,
  patch: readonly object[],
  options: CallOptions,
): Promise<T> {
  const ref = refOf(resource, object);
  try {
    return await client.patch<T>(ref, patch, 'json', options);
  } catch (err) {
    // How the server says that a `test` or a path did not hold.
    if (!(err instanceof KubeError) || err.status !== 422) throw err;
    throw new DrError('ObjectChanged', `${err.message} (the finalizers have changed)`, { cause: err });
  }
}
