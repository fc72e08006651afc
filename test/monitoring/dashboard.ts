export interface Panel {
  readonly id: number;
  readonly type: string;
  readonly title: string;
  readonly gridPos: { readonly h: number; readonly w: number; readonly x: number; readonly y: number };
  readonly targets?: readonly { readonly expr: string }[];
}

export interface Dashboard {
  readonly panels: readonly Panel[];
}

export interface PanelQuery {
  readonly panel: string;
  readonly expr: string;
}

/** The queries as Grafana would send them with everything selected. @param interval stands for `$__rate_interval` */
export function queriesOf({ panels }: Dashboard, interval: string): PanelQuery[] {
  return panels.flatMap(({ title, targets = [] }) =>
    targets.map(({ expr }) => ({
      panel: title,
      expr: expr.replaceAll('$__rate_interval', interval).replaceAll('$replication', '.*'),
    })),
  );
}

/** Names of our metrics in a query, without what a histogram adds to its name. */
export function metricsIn(expr: string): string[] {
  return [...expr.matchAll(/dr_syncer_\w+/g)].map(([name]) => name.replace(/_(bucket|sum|count)$/, ''));
}
