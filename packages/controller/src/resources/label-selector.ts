import type { LabelSelector } from '@dr-syncer/api';

/** Whether labels satisfy a label selector (Kubernetes documentation, "Labels and Selectors"); no selector: all do. */
export function matchesSelector(
  labels: Readonly<Record<string, string>> | undefined,
  selector: LabelSelector | undefined,
): boolean {
  const { matchLabels = {}, matchExpressions = [] } = selector ?? {};
  const valueOf = (key: string) =>
    labels !== undefined && Object.hasOwn(labels, key) ? labels[key] : undefined;
  return (
    Object.entries(matchLabels).every(([key, value]) => valueOf(key) === value) &&
    matchExpressions.every(({ key, operator, values = [] }) => {
      const value = valueOf(key);
      switch (operator) {
        case 'In':
          return value !== undefined && values.includes(value);
        case 'NotIn':
          return value === undefined || !values.includes(value);
        case 'Exists':
          return value !== undefined;
        case 'DoesNotExist':
          return value === undefined;
      }
    })
  );
}
