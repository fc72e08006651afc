import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Secret } from '@dr-syncer/api';
import type { ClusterAccess, TokenSource } from './cluster-access.js';

/** Where kubelet mounts the service account (Kubernetes documentation, "Accessing the API from within a Pod"). */
const SERVICE_ACCOUNT_DIRECTORY = '/var/run/secrets/kubernetes.io/serviceaccount';
/** Kubelet renews a bound token at 80 % of its life, an hour by default; client-go reads once a minute too. */
const TOKEN_CACHE_MS = 60_000;

export interface InClusterOptions {
  /** `KUBERNETES_SERVICE_HOST`, as read by the composition root. */
  host?: string;
  /** `KUBERNETES_SERVICE_PORT`. */
  port?: string;
  directory?: string;
}

/**
 * Access for a pod by its service account. The token is read again as time goes by, because kubelet replaces it.
 * @throws Error when the files are not there (not in a pod, or `automountServiceAccountToken: false`).
 */
export async function inClusterAccess(options: InClusterOptions = {}): Promise<ClusterAccess> {
  const { host = 'kubernetes.default.svc', port = '443', directory = SERVICE_ACCOUNT_DIRECTORY } = options;
  const token = new TokenFile(join(directory, 'token'));
  const [ca] = await Promise.all([readFile(join(directory, 'ca.crt'), 'utf8'), token.current()]);
  return { server: `https://${host.includes(':') ? `[${host}]` : host}:${port}`, ca, token };
}

/** A token in a file that someone else replaces. */
export class TokenFile implements TokenSource {
  readonly #path: string;
  readonly #now: () => number;
  #cached: { token: Secret; readAt: number } | undefined;

  constructor(path: string, now: () => number = () => performance.now()) {
    this.#path = path;
    this.#now = now;
  }

  /** The cached token is kept when reading fails: kubelet swaps the directory and may do so just now. */
  async current(options: { refresh?: boolean } = {}): Promise<Secret> {
    const cached = this.#cached;
    const fresh = cached !== undefined && this.#now() - cached.readAt < TOKEN_CACHE_MS;
    if (cached !== undefined && fresh && options.refresh !== true) return cached.token;
    try {
      const token = new Secret((await readFile(this.#path, 'utf8')).trim());
      this.#cached = { token, readAt: this.#now() };
      return token;
    } catch (err) {
      if (cached !== undefined) return cached.token;
      throw err;
    }
  }
}
