import { errorTable } from '@dr-syncer/api';
import type { NewCondition } from '@dr-syncer/kube';

/** Of a gitVersion such as v1.34.1, v1.33.0-gke.100, v1.32.2+k3s1. */
interface Version {
  readonly major: number;
  readonly minor: number;
}

/**
 * Within three minor versions no built-in API that is served by one of two servers has been both introduced and left
 * out (Kubernetes deprecation policy, rule 4a: beta APIs stay for three releases).
 */
const MAX_MINORS = 3;
/** The oldest whose server-side apply and CRDs are as this code needs them. */
const OLDEST: Version = { major: 1, minor: 25 };

export function parseVersion(gitVersion: string): Version | undefined {
  const match = /^v(\d{1,4})\.(\d{1,4})(\D|$)/.exec(gitVersion);
  return match === null ? undefined : { major: Number(match[1]), minor: Number(match[2]) };
}

/** The condition that tells whether objects of one server can be expected to fit the other. */
export function versionCondition(source: string, remote: string): NewCondition {
  const problem = skewOf(source, remote);
  const type = 'VersionsCompatible';
  if (problem === undefined) {
    return { type, status: 'True', reason: 'Close', message: `Source ${source}, remote ${remote}.` };
  }
  const message = `${problem}. ${errorTable.VersionSkew.remedy}`;
  return { type, status: 'False', reason: 'VersionSkew', message };
}

function skewOf(source: string, remote: string): string | undefined {
  const [from, to] = [parseVersion(source), parseVersion(remote)];
  if (from === undefined || to === undefined) {
    return `The versions ${source} (source) and ${remote} (remote) cannot be compared`;
  }
  if (isOlder(to, OLDEST)) return `The remote is ${remote}, older than v${OLDEST.major}.${OLDEST.minor}`;
  const far = from.major !== to.major || Math.abs(from.minor - to.minor) > MAX_MINORS;
  if (!far) return undefined;
  const side = isOlder(to, from) ? 'older' : 'newer';
  return `The remote (${remote}) is more than ${MAX_MINORS} minor versions ${side} than the source (${source})`;
}

function isOlder(a: Version, b: Version): boolean {
  return a.major < b.major || (a.major === b.major && a.minor < b.minor);
}
