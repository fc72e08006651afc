import { errorTable } from '@dr-syncer/api';
import { KubeError } from '@dr-syncer/kube';
import { describe, expect, test } from '@jest/globals';

import { conflictingManagers, isImmutable, isInvalid, rejection } from './rejection.js';

const failure = (status: number, message: string, reason = 'Unknown', causes: object[] = []) =>
  new KubeError(`apply configmaps n/x: ${message}`, { status, reason, details: { causes } });

describe('Given a refusal, in the words of kube-apiserver', () => {
  test.each([
    [
      403,
      'configmaps "x" is forbidden: exceeded quota: q, requested: count/configmaps=1',
      'QuotaExceeded',
      'wait',
    ],
    [403, 'configmaps "x" is forbidden: User "u" cannot patch resource', 'PermissionMissing', 'wait'],
    [
      403,
      'configmaps "x" is forbidden: unable to create new content in namespace n because it is being terminated',
      'ObjectChanged',
      'retry',
    ],
    [
      403,
      'persistentvolumeclaims "x" is forbidden: only dynamically provisioned pvc can be resized and the storageclass that provisions the pvc must support resize',
      'ClaimCannotGrow',
      'terminal',
    ],
    [400, 'admission webhook "w.example.com" denied the request: no', 'WebhookDenied', 'terminal'],
    [
      500,
      'Internal error occurred: failed calling webhook "w": connection refused',
      'WebhookUnavailable',
      'retry',
    ],
    [413, 'Request entity too large: limit is 3145728', 'ObjectTooLarge', 'terminal'],
    [500, 'etcdserver: request is too large', 'ObjectTooLarge', 'terminal'],
    [
      422,
      'ConfigMap "x" is invalid: []: Too long: may not be more than 1048576 bytes',
      'ObjectTooLarge',
      'terminal',
    ],
    [422, 'Deployment.apps "x" is invalid: spec.replicas: Invalid value: -1', 'ObjectRejected', 'terminal'],
    [429, 'too many requests', 'ApiServerUnavailable', 'retry'],
    [503, 'apiserver not ready', 'ApiServerUnavailable', 'retry'],
    [404, 'namespaces "n" not found', 'ObjectNotFound', 'wait'],
  ] as const)('%d %s', (status, message, code, kind) => {
    const result = rejection(failure(status, message));

    expect(result.code).toBe(code);
    expect(errorTable[result.code].kind).toBe(kind);
  });

  test('a conflict names who owns the fields', () => {
    const causes = ['argocd', 'kubectl-client-side-apply'].map((name) => ({
      ...{ reason: 'FieldManagerConflict', field: '.spec.replicas' },
      message: `conflict with "${name}" using apps/v1`,
    }));
    const err = failure(409, 'Apply failed with 2 conflicts', 'Conflict', causes);

    expect(rejection(err).code).toBe('ObjectConflict');
    expect(conflictingManagers(err)).toEqual(['argocd', 'kubectl-client-side-apply']);
  });

  test.each([
    [422, 'Deployment.apps "x" is invalid: spec.selector: Invalid value: {}: field is immutable', true],
    [
      422,
      'StatefulSet.apps "x" is invalid: spec: Forbidden: updates to statefulset spec for fields other than \'replicas\'',
      true,
    ],
    [422, 'Deployment.apps "x" is invalid: spec.replicas: Invalid value: -1', false],
    [409, 'field is immutable', false],
  ])('%d %s is about an immutable field: %s', (status, message, expected) => {
    expect(isImmutable(failure(status, message))).toBe(expected);
  });

  test('what is left without our fields is no valid object: that only the server itself says', () => {
    const message = 'Deployment.apps "x" is invalid: spec.selector: Required value';
    const causes = [{ reason: 'FieldValueRequired', field: 'spec.selector', message: 'Required value' }];

    expect(isInvalid(failure(422, message, 'Invalid', causes))).toBe(true);

    expect(isInvalid(failure(422, message, 'Invalid'))).toBe(false);
    expect(isInvalid(failure(400, message, 'BadRequest', causes))).toBe(false);
    const denied = 'admission webhook "w" denied the request: it is invalid';
    expect(isInvalid(failure(422, denied, 'Invalid', causes))).toBe(false);
    expect(isInvalid(new Error(message))).toBe(false);
  });
});
