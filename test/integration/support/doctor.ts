import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { cli } from '../../support/cli.js';
import type { Solo } from './solo/solo.js';

export interface Finding {
  readonly severity: string;
  readonly code?: string;
  readonly subject: string;
  readonly message: string;
  readonly remedy?: string;
}
export interface DoctorReport {
  readonly code: number | null;
  readonly healthy: boolean;
  readonly findings: readonly Finding[];
}
/** Runs `dr-syncer doctor` against the cluster. */
export async function examine(solo: Pick<Solo, 'api'>): Promise<DoctorReport> {
  const env = { KUBECONFIG: solo.api.kubeconfigPath };
  const { code, out, err } = await cli(['doctor', '-o', 'json'], { env });
  if (out === '') throw new Error(`doctor said nothing: ${err}`);
  return { code, ...(JSON.parse(out) as Omit<DoctorReport, 'code'>) };
}

/** What must not be there when all is well. */
export function errorsOf({ findings }: DoctorReport): Finding[] {
  return findings.filter(({ severity }) => severity === 'error' || severity === 'unknown');
}

/** The public half of a host key that no agent has. */
export function otherKey(type: 'ed25519' | 'rsa'): Record<string, string> {
  const dir = mkdtempSync(join(tmpdir(), 'dr-syncer-doctor-'));
  try {
    execFileSync('ssh-keygen', ['-q', '-t', type, '-b', '3072', '-N', '', '-C', '', '-f', join(dir, 'key')]);
    return { [`ssh_host_${type}_key.pub`]: readFileSync(join(dir, 'key.pub'), 'base64') };
  } finally {
    rmSync(dir, { recursive: true });
  }
}

/** The parts of a kubeconfig that a test breaks. */
export interface KubeconfigText {
  readonly clusters: { cluster: Record<string, unknown> }[];
  readonly users: { user: Record<string, unknown> }[];
}
