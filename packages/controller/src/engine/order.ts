/**
 * Ranks for applying: what others refer to comes first. Inside a rank everything is applied in parallel. What is not
 * named here (custom resources among it) comes after configuration and before workloads.
 */
const ranks: Readonly<Record<string, number>> = {
  ResourceQuota: 0,
  LimitRange: 0,
  ServiceAccount: 1,
  Secret: 1,
  ConfigMap: 1,
  Role: 2,
  RoleBinding: 3,
  NetworkPolicy: 3,
  PersistentVolumeClaim: 3,
  PodTemplate: 4,
  Service: 4,
  Endpoints: 5,
  Deployment: 7,
  StatefulSet: 7,
  DaemonSet: 7,
  ReplicaSet: 7,
  ReplicationController: 7,
  Job: 7,
  CronJob: 7,
  HorizontalPodAutoscaler: 8,
  PodDisruptionBudget: 8,
  Ingress: 8,
};
const OTHER = 6;

export function rankOf(kind: string): number {
  return ranks[kind] ?? OTHER;
}

/** The items of each rank, the first rank first. */
export function byRank<T>(items: Iterable<T>, rank: (item: T) => number): T[][] {
  const ranks = new Map<number, T[]>();
  for (const item of items) {
    const list = ranks.get(rank(item));
    if (list === undefined) ranks.set(rank(item), [item]);
    else list.push(item);
  }
  return [...ranks].sort(([a], [b]) => a - b).map(([, list]) => list);
}
