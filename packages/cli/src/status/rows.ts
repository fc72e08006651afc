import type { CellStyle } from '../output.js';
import { printable, table } from '../output.js';
import { duration } from '../duration.js';
import { volumeLine } from '../live/bar.js';
import type { Colour, Paint } from '../screen.js';
import type { StandbyView } from './standbys.js';
import type { StatusReport } from './report.js';
import type { RemoteClusterView, ReplicationView } from './view.js';

const MESSAGE = 100;

const colours: Readonly<Record<string, Colour>> = {
  ...{
    Completed: 'green',
    Ready: 'green',
    Active: 'yellow',
    Starting: 'yellow',
    Returning: 'yellow',
    Returned: 'yellow',
    Running: 'cyan',
  },
  ...{ Failed: 'red', Degraded: 'yellow', Paused: 'yellow' },
};

/** For people: a table of each kind of which there is something, and a bar for each volume under way. */
export function statusText(report: StatusReport, now: Date, paint: Paint): string {
  const style: CellStyle = (cell, _column, row) =>
    row === 0 ? paint(cell, 'dim') : paint(cell, colours[cell]);
  const parts = [
    section(report.replications, replicationRows(report.replications, now), style),
    report.replications.flatMap((one) => barsOf(one).map((line) => `${line}\n`)).join(''),
    section(report.remoteClusters, remoteRows(report.remoteClusters), style),
    section(report.standbys, standbyRows(report.standbys), style),
  ];
  return parts.filter((part) => part !== '').join('\n');
}

function section(list: readonly unknown[], rows: string[][], style: CellStyle): string {
  return list.length === 0 ? '' : table(rows, style);
}

function replicationRows(list: readonly ReplicationView[], now: Date): string[][] {
  const head = ['REPLICATION', 'STANDBY', 'PHASE', 'RPO', 'OBJECTS', 'VOLUMES', 'NEXT', 'REASON'];
  return [
    head,
    ...list.map((one) => [
      one.replication,
      `${one.remoteCluster}:${one.destinationNamespace}`,
      one.phase,
      one.rpoSeconds === undefined ? 'never' : duration(one.rpoSeconds),
      withFailed(String(one.objects.total), one.objects.failed),
      withFailed(`${one.volumes.done}/${one.volumes.total}`, one.volumes.failed),
      nextText(one, now),
      reasonText(one),
    ]),
  ];
}

function withFailed(text: string, failed: number): string {
  return failed === 0 ? text : `${text} (${failed} failed)`;
}

function nextText({ nextSync, overdueSeconds, mode }: ReplicationView, now: Date): string {
  if (overdueSeconds !== undefined) return `overdue ${duration(overdueSeconds)}`;
  if (nextSync === undefined)
    return mode === 'Continuous' ? 'continuous' : mode === 'Manual' ? 'manual' : '-';
  return `in ${duration(Math.max(0, (Date.parse(nextSync) - now.getTime()) / 1000))}`;
}

function reasonText({ reason, message }: { reason?: string; message?: string }): string {
  if (reason === undefined) return '';
  const text = printable(message ?? '');
  return `${reason}: ${text.length > MESSAGE ? `${text.slice(0, MESSAGE - 3)}...` : text}`;
}

/** What is under way, for the lines below the table. */
export function barsOf({ replication, running }: ReplicationView): string[] {
  const names = running.map((volume) => `${replication} ${printable(volume.name)}`);
  const width = Math.max(0, ...names.map((name) => name.length));
  return running.map((volume, index) => volumeLine({ ...volume, name: names[index] ?? '' }, width));
}

function remoteRows(list: readonly RemoteClusterView[]): string[][] {
  return [
    ['REMOTE CLUSTER', 'PHASE', 'AGENTS', 'VERSION', 'REASON'],
    ...list.map((one) => [...[one.remoteCluster, one.phase, one.agents, one.version ?? ''], reasonText(one)]),
  ];
}

function standbyRows(list: readonly StandbyView[]): string[][] {
  return [
    ['STANDBY HERE', 'OF', 'STATE', 'REPLICATION', 'RPO', 'LAST SYNC'],
    ...list.flatMap(({ namespace, sourceNamespace, state, syncs }) => {
      const first = [namespace, sourceNamespace, state];
      if (syncs.length === 0) return [[...first, '', 'unknown', 'never']];
      return syncs.map(({ replication, rpoSeconds, result, endedAt }) => [
        ...[...first, replication],
        rpoSeconds === undefined ? 'never' : duration(rpoSeconds),
        `${result} ${endedAt}`,
      ]);
    }),
  ];
}
