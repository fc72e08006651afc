import type { KubeClient } from './client.js';
import type { CallOptions } from './client-types.js';
import { isNotFound } from './kube-error.js';
import { type KubeObject, refOf, type Resource } from './types.js';

/*
 * Both work by JSON patch with a `test` of what the patch was computed from, so they touch this one entry and nothing
 * that others wrote meanwhile; the server answers 422 (reason Invalid) when the list has changed, and the reconciler
 * comes again.
 */

/** The object with the finalizer; without a call when it is there. @throws KubeError */
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
  return client.patch<T>(refOf(resource, object), patch, 'json', options);
}

/** The object without the finalizer, or `undefined` when it is gone with that. @throws KubeError */
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
    return await client.patch<T>(refOf(resource, object), patch, 'json', options);
  } catch (err) {
    if (isNotFound(err)) return undefined;
    throw err;
  }
}
