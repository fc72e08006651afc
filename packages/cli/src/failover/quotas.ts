import type { StandbyObject } from './workloads.js';

export interface QuotaView {
  readonly metadata: { readonly name: string };
  readonly status?: {
    readonly hard?: Readonly<Record<string, string>>;
    readonly used?: Readonly<Record<string, string>>;
  };
}

const factors: Readonly<Record<string, number>> = {
  ...{ n: 1e-9, u: 1e-6, m: 1e-3, '': 1, k: 1e3, M: 1e6, G: 1e9, T: 1e12, P: 1e15, E: 1e18 },
  ...{ Ki: 2 ** 10, Mi: 2 ** 20, Gi: 2 ** 30, Ti: 2 ** 40, Pi: 2 ** 50, Ei: 2 ** 60 },
};

/** A Kubernetes quantity as a number: `250m` is 0.25, `1Gi` is 1073741824. NaN when it is none. */
export function quantity(text: string): number {
  const match = /^([+-]?\d*\.?\d+(?:[eE][+-]?\d+)?)([a-zA-Z]*)$/.exec(text.trim());
  return match === null ? Number.NaN : Number(match[1]) * (factors[match[2] ?? ''] ?? Number.NaN);
}

/** Quotas that the standby will run into when it is started, a line each. Counts what is asked for by pod templates. */
export function quotaProblems(quotas: readonly QuotaView[], runnable: readonly StandbyObject[]): string[] {
  const needs = demand(runnable);
  return quotas.flatMap(({ metadata, status }) =>
    Object.entries(status?.hard ?? {}).flatMap(([name, hard]) => {
      const needed = needs.get(name);
      if (needed === undefined || needed === 0) return [];
      const left = quantity(hard) - quantity(status?.used?.[name] ?? '0');
      if (!(needed > left)) return [];
      return [`quota ${metadata.name}: ${name} has ${round(left)} left, the standby needs ${round(needed)}`];
    }),
  );
}

interface Container {
  readonly resources?: {
    readonly requests?: Readonly<Record<string, string>>;
    readonly limits?: Readonly<Record<string, string>>;
  };
}

/** What all pods of the standby together will ask for, by the names that quotas use. */
function demand(runnable: readonly StandbyObject[]): Map<string, number> {
  const needs = new Map<string, number>();
  for (const { object, patch } of runnable) {
    // Only what this failover starts: what runs is in the quota's count already.
    const replicas = (patch?.['spec'] as { replicas?: unknown } | undefined)?.replicas;
    if (typeof replicas !== 'number') continue;
    const spec = object['spec'] as { template?: { spec?: { containers?: Container[] } } } | undefined;
    const ofPod = (spec?.template?.spec?.containers ?? []).flatMap(amounts);
    for (const [name, amount] of [['pods', 1] as const, ['count/pods', 1] as const, ...ofPod]) {
      needs.set(name, (needs.get(name) ?? 0) + amount * replicas);
    }
  }
  return needs;
}

/** Quotas know requests by two names, `requests.cpu` and `cpu`. */
function amounts({ resources }: Container): (readonly [string, number])[] {
  const requests = Object.entries(resources?.requests ?? {});
  const limits = Object.entries(resources?.limits ?? {});
  return [
    ...requests.map(([name, amount]) => [name, quantity(amount)] as const),
    ...requests.map(([name, amount]) => [`requests.${name}`, quantity(amount)] as const),
    ...limits.map(([name, amount]) => [`limits.${name}`, quantity(amount)] as const),
  ];
}

function round(value: number): string {
  return String(Math.round(value * 1000) / 1000);
}
