import { describe, expect, test } from '@jest/globals';
import {
  isConflict,
  isExpired,
  isFieldConflict,
  isForbidden,
  isNotFound,
  kubeToDrError,
  KubeError,
} from './kube-error.js';
import { errorOfResponse } from './status-response.js';

const operation = { verb: 'list', resource: 'secrets', target: 'in shop' };
const plain = { verb: 'apply', resource: 'deployments.apps', target: 'shop/web' };

function status(reason: string, message: string, details?: object): object {
  return { kind: 'Status', reason, message, details };
}

const rbac =
  'secrets is forbidden: User "system:serviceaccount:a:b" cannot list resource "secrets" in API group "" in the namespace "shop"';
const quota = 'pods "x" is forbidden: exceeded quota: q, requested: pods=1, used: pods=2, limited: pods=2';
const managers = {
  causes: [{ reason: 'FieldManagerConflict', message: 'conflict with "kubectl"', field: '.spec.replicas' }],
};

describe('kubeToDrError', () => {
  test.each([
    [
      errorOfResponse(operation, 401, undefined, status('Unauthorized', 'Unauthorized')),
      'RemoteUnauthorized',
    ],
    [errorOfResponse(operation, 403, undefined, status('Forbidden', rbac)), 'PermissionMissing'],
    [errorOfResponse(plain, 403, undefined, status('Forbidden', quota)), 'ObjectRejected'],
    [errorOfResponse(plain, 404, undefined, status('NotFound', 'x')), 'ObjectNotFound'],
    [errorOfResponse(plain, 409, undefined, status('Conflict', 'x', managers)), 'ObjectConflict'],
    [errorOfResponse(plain, 409, undefined, status('Conflict', 'x')), 'ObjectChanged'],
    [errorOfResponse(plain, 422, undefined, status('Invalid', 'x')), 'ObjectRejected'],
    [errorOfResponse(plain, 413, undefined, undefined), 'ObjectRejected'],
    [errorOfResponse(plain, 429, '3', undefined), 'ApiServerUnavailable'],
    [
      errorOfResponse(plain, 500, undefined, status('InternalError', 'failed calling webhook')),
      'ApiServerUnavailable',
    ],
    [
      errorOfResponse(
        plain,
        500,
        undefined,
        status(
          'InternalError',
          'failed to create typed patch object (shop/web; apps/v1, Kind=Deployment): .spec.x: field not declared in schema',
        ),
      ),
      'ObjectRejected',
    ],
    [errorOfResponse(plain, 418, undefined, undefined), 'Internal'],
    [new KubeError('x', { status: 0, reason: 'TlsFailed' }), 'RemoteUnreachable'],
    [new KubeError('x', { status: 0, reason: 'Timeout' }), 'Timeout'],
    [new KubeError('x', { status: 0, reason: 'NoSuchReason' }), 'Internal'],
    [new DOMException('stopped', 'AbortError'), 'Cancelled'],
    [new Error('x'), 'Internal'],
  ])('Given %s, Then the code is %s', (err, code) => {
    expect(kubeToDrError(err).code).toBe(code);
  });

  test('Given a refusal by the authorizer, Then verb and resource are in the message', () => {
    const { message } = kubeToDrError(errorOfResponse(operation, 403, undefined, status('Forbidden', rbac)));
    expect(message).toContain('list secrets in shop');
    expect(message).toContain('cannot list resource "secrets"');
  });
});

describe('errorOfResponse', () => {
  test('Given a refused Secret, Then fields are named and values are not', () => {
    const causes = [
      { reason: 'FieldValueInvalid', field: 'data[password]', message: 'Invalid value: "hunter2"' },
    ];
    const body = status('Invalid', 'Secret "a" is invalid: data[password]: Invalid value: "hunter2"', {
      causes,
    });
    const err = errorOfResponse({ ...operation, verb: 'apply' }, 422, undefined, body);
    expect(err.message).toBe('apply secrets in shop: Invalid data[password] (FieldValueInvalid)');
  });

  test('Given a value of the wrong type in server-side apply, Then the field is named and the value is not', () => {
    const message =
      'failed to create typed patch object (a/b; /v1, Kind=Secret): .stringData.x: expected string, got &value.valueUnstructured{Value:"hunter2"}';
    const secret = errorOfResponse(operation, 500, undefined, { kind: 'Status', message });
    expect(secret.message).toBe('list secrets in shop: Invalid .stringData.x');
    const throughRaw = errorOfResponse(plain, 500, undefined, { kind: 'Status', message });
    expect(throughRaw.message).toBe('apply deployments.apps shop/web: Invalid .stringData.x');
    const about = message.replace('Secret', 'Deployment');
    const other = errorOfResponse(plain, 500, undefined, { kind: 'Status', message: about });
    expect(other.message).toBe(
      'apply deployments.apps shop/web: failed to create typed patch object (a/b; /v1, Kind=Deployment): .stringData.x: expected string',
    );
  });

  test('Given a very long message and many causes, Then both are cut', () => {
    const causes = Array.from({ length: 500 }, () => ({
      reason: 'r',
      message: 'm'.repeat(5000),
      field: 'f',
    }));
    const err = errorOfResponse(plain, 422, undefined, status('Invalid', 'x'.repeat(1e6), { causes }));
    expect(err.message.length).toBeLessThan(1200);
    expect(JSON.stringify(err.details).length).toBeLessThan(20_000);
  });

  test.each([
    ['7', undefined, 7],
    [undefined, { retryAfterSeconds: 5 }, 5],
    ['Wed, 21 Oct 2026 07:28:00 GMT', undefined, undefined],
    ['-1', undefined, undefined],
    [undefined, { retryAfterSeconds: 'x' }, undefined],
  ])('Given Retry-After %s and details %j, Then seconds are %s', (header, details, expected) => {
    expect(
      errorOfResponse(plain, 429, header, status('TooManyRequests', 'x', details)).retryAfterSeconds,
    ).toBe(expected);
  });

  test('Given statuses, Then the predicates know them', () => {
    const of = (code: number, body?: object): KubeError => errorOfResponse(plain, code, undefined, body);
    expect(isNotFound(of(404))).toBe(true);
    expect(isExpired(of(410))).toBe(true);
    expect(isForbidden(of(403))).toBe(true);
    expect(isConflict(of(409))).toBe(true);
    expect(isConflict(of(409, status('AlreadyExists', 'x')))).toBe(false);
    expect(isFieldConflict(of(409, status('Conflict', 'x', managers)))).toBe(true);
    expect(isFieldConflict(new Error('x'))).toBe(false);
  });
});
