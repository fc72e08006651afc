import type { Identity } from '@dr-syncer/api';
import type { PrivilegeDecision } from './privilege.js';
import type { Refusal } from './refusal.js';
import type { Annotations } from './scc/annotations.js';
import type { WorkloadPod } from './workload.js';

export interface ResolveInput {
  readonly side: 'source' | 'destination';
  /** The namespace of the volume at that side, and its annotations. */
  readonly namespace: string;
  readonly annotations: Annotations;
  /** Of the namespace. */
  readonly labels?: Readonly<Record<string, string>>;
  /** `spec.moverSecurityContext` as it is: raw JSON. */
  readonly moverSecurityContext: unknown;
  /** The pods that mount the volume at the source; the standby will run the same. */
  readonly workloads: readonly WorkloadPod[];
  readonly privilege: PrivilegeDecision;
  /** Copy device nodes; needs privilege. */
  readonly devices: boolean;
  /** Copy `security.capability`; needs privilege. */
  readonly fileCapabilities: boolean;
}

export type IdentityField = keyof Identity;

export type Resolution =
  | {
      readonly ok: true;
      readonly identity: Identity;
      /** Where each value comes from. */
      readonly origins: Readonly<Partial<Record<IdentityField, string>>>;
      /** What was asked for or found and not taken, and why. */
      readonly notes: readonly string[];
    }
  | { readonly ok: false; readonly refusals: readonly Refusal[] };
