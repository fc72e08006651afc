import { X509Certificate } from 'node:crypto';
import type { Secret } from '@dr-syncer/api';

/** A bearer token that changes during the life of the process (bound service-account tokens do, about hourly). */
export interface TokenSource {
  /** `refresh: true` bypasses what is cached, for use after a 401. */
  current(options?: { refresh?: boolean }): Promise<Secret>;
}

/** All that is needed to reach one API server. Credentials are held so that printing it shows none of them. */
export interface ClusterAccess {
  /** https URL without credentials, query, fragment or trailing slash. */
  readonly server: string;
  /** PEM; absent: the system's certificate authorities. */
  readonly ca?: string;
  readonly tlsServerName?: string;
  readonly token?: Secret | TokenSource;
  /** PEM, leaf certificate first. */
  readonly cert?: string;
  readonly key?: Secret;
}

/** Matches each block of a PEM bundle; text between the blocks is allowed (RFC 7468 section 2). */
const CERTIFICATE = /-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g;

/** The certificates of a PEM bundle in their order. Throws when one of them can't be parsed. */
export function parseCertificates(pem: string): X509Certificate[] {
  return (pem.match(CERTIFICATE) ?? []).map((block) => new X509Certificate(block));
}

/** When the first certificate of the client's chain ends; `undefined` without a client certificate. */
export function certificateExpiry(access: ClusterAccess): Date | undefined {
  if (access.cert === undefined) return undefined;
  const ends = parseCertificates(access.cert).map((certificate) => Date.parse(certificate.validTo));
  return ends.length === 0 ? undefined : new Date(Math.min(...ends));
}

/**
 * `exp` of a JWT bearer token (RFC 7519 section 4.1.4), read without verifying anything: it only serves to warn a
 * person in time. `undefined` for opaque tokens, tokens without an end, and tokens that renew themselves.
 */
export function tokenExpiry(access: ClusterAccess): Date | undefined {
  const { token } = access;
  if (token === undefined || 'current' in token) return undefined;
  return jwtExpiry(token);
}

export function jwtExpiry(token: Secret): Date | undefined {
  const [, payload, signature] = token.reveal().split('.');
  if (payload === undefined || signature === undefined) return undefined;
  try {
    const claims: unknown = JSON.parse(Buffer.from(payload, 'base64url').toString('utf8'));
    if (typeof claims !== 'object' || claims === null || !('exp' in claims)) return undefined;
    const end = typeof claims.exp === 'number' ? new Date(claims.exp * 1000) : undefined;
    return end === undefined || Number.isNaN(end.getTime()) ? undefined : end;
  } catch {
    // Three parts with dots between them that are no JWT: an opaque token.
    return undefined;
  }
}
