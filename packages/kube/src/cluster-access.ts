import { X509Certificate } from 'node:crypto';
import type { Secret } from '@dr-syncer/api';

import { isRecord } from './status-response.js';

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

/** From when to when a credential is good. */
export interface Validity {
  readonly what: 'client certificate' | 'token';
  readonly from: Date | undefined;
  readonly until: Date;
}

/** Of the credential that ends first; `undefined`: none of them ends, or none says when. */
export function credentialValidity(access: ClusterAccess): Validity | undefined {
  const all = [certificateValidity(access), tokenValidity(access)].filter((one) => one !== undefined);
  return all.sort((a, b) => a.until.getTime() - b.until.getTime())[0];
}

function certificateValidity({ cert }: ClusterAccess): Validity | undefined {
  const chain = cert === undefined ? [] : parseCertificates(cert);
  const [first] = [...chain].sort((a, b) => Date.parse(a.validTo) - Date.parse(b.validTo));
  if (first === undefined) return undefined;
  return { what: 'client certificate', from: new Date(first.validFrom), until: new Date(first.validTo) };
}

/**
 * By `iat` and `exp` of a JWT bearer token (RFC 7519 section 4.1), read without verifying anything: it only serves to
 * warn a person in time. `undefined` for opaque tokens, tokens without an end, and tokens that renew themselves.
 */
function tokenValidity({ token }: ClusterAccess): Validity | undefined {
  if (token === undefined || 'current' in token) return undefined;
  const claims = jwtClaims(token);
  const until = dateOf(claims?.['exp']);
  return until === undefined ? undefined : { what: 'token', from: dateOf(claims?.['iat']), until };
}

/** Namespace and name of the ServiceAccount that a token says it is of; nothing is verified. */
export function serviceAccountOf(token: Secret): { namespace: string; name: string } | undefined {
  const subject = jwtClaims(token)?.['sub'];
  if (typeof subject !== 'string') return undefined;
  const [, namespace, name] = /^system:serviceaccount:([^:]+):([^:]+)$/.exec(subject) ?? [];
  return namespace === undefined || name === undefined ? undefined : { namespace, name };
}

function jwtClaims(token: Secret): Record<string, unknown> | undefined {
  const [, payload, signature] = token.reveal().split('.');
  if (payload === undefined || signature === undefined) return undefined;
  try {
    const claims: unknown = JSON.parse(Buffer.from(payload, 'base64url').toString('utf8'));
    return isRecord(claims) ? claims : undefined;
  } catch {
    // Three parts with dots between them that are no JWT: an opaque token.
    return undefined;
  }
}

function dateOf(seconds: unknown): Date | undefined {
  const date = typeof seconds === 'number' ? new Date(seconds * 1000) : undefined;
  return date === undefined || Number.isNaN(date.getTime()) ? undefined : date;
}
