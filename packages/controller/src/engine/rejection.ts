import { DrError } from '@dr-syncer/api';
import { isFieldConflict, isForbidden, KubeError, kubeToDrError } from '@dr-syncer/kube';

/** How kube-apiserver words what the table tells apart (registry/rest, plugin/pkg/admission, 1.24 to 1.36). */
const wording = {
  quota: /exceeded quota: /,
  webhookDown: /failed calling webhook /,
  webhookDenied: /admission webhook .* denied the request/,
  tooLarge:
    /request is too large|Too long: (must have at most|may not be more than)|trying to send message larger/,
  immutable:
    /\bimmutable\b|cannot change roleRef|may not change once set|updates to .* spec for fields other than/i,
  shrink: /can not be less than (status\.capacity|previous value)/,
  cannotGrow: /the storageclass that provisions the pvc must support resize/,
  namespaceGoing: /because it is being terminated/,
} as const;

/** Why the destination did not take an object, as a code of the table: what can pass, and what a person has to do. */
export function rejection(err: unknown): DrError {
  if (!(err instanceof KubeError)) return kubeToDrError(err);
  const code = codeOf(err);
  return code === undefined ? kubeToDrError(err) : new DrError(code, err.message, { cause: err });
}

function codeOf(err: KubeError): DrError['code'] | undefined {
  const { message, status } = err;
  if (isFieldConflict(err)) return 'ObjectConflict';
  if (status === 413 || wording.tooLarge.test(message)) return 'ObjectTooLarge';
  if (status === 403 && wording.quota.test(message)) return 'QuotaExceeded';
  if (isForbidden(err) && wording.cannotGrow.test(message)) return 'ClaimCannotGrow';
  if (isForbidden(err) && wording.namespaceGoing.test(message)) return 'ObjectChanged';
  if (wording.webhookDenied.test(message)) return 'WebhookDenied';
  if (status >= 500 && wording.webhookDown.test(message)) return 'WebhookUnavailable';
  return undefined;
}

/** The server's own validation refuses the object; not a webhook, which may answer with any code. */
export function isInvalid(err: unknown): boolean {
  if (!(err instanceof KubeError) || err.status !== 422 || err.reason !== 'Invalid') return false;
  return !wording.webhookDenied.test(err.message) && (err.details?.causes?.length ?? 0) > 0;
}

/** A claim would become smaller. */
export function isShrink(err: unknown): boolean {
  return wordsOf(err).some((one) => wording.shrink.test(one));
}

/** The server refuses to change a field of an object that is there. Of Secrets only the causes say it. */
export function isImmutable(err: unknown): boolean {
  return wordsOf(err).some((one) => wording.immutable.test(one));
}

/** Of a server that finds an object invalid. */
function wordsOf(err: unknown): string[] {
  if (!(err instanceof KubeError) || err.status !== 422) return [];
  return [err.message, ...(err.details?.causes ?? []).map(({ message = '' }) => message)];
}

/** Field managers that an apply without force met, from the causes of the conflict. */
export function conflictingManagers(err: unknown): string[] {
  if (!(err instanceof KubeError)) return [];
  const names = (err.details?.causes ?? []).flatMap(
    ({ message = '' }) => /^conflict with "((?:[^"\\]|\\.)*)"/.exec(message)?.[1] ?? [],
  );
  return [...new Set(names)];
}

/** The object that is there is not this Replication's. @param holder uid of the Replication that it belongs to */
export function foreign(name: string, holder?: string): DrError {
  const whose = holder === undefined ? 'not made by DR-Syncer' : 'made by another Replication';
  return new DrError('ForeignObject', `${name} exists at the destination and was ${whose}`);
}

/** The object that is there was deleted, and something still holds it. */
export function going(name: string): DrError {
  return new DrError('ObjectChanged', `${name} is being deleted at the destination`);
}
