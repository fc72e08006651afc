import type { VolumeStatus } from '@dr-syncer/api';

import { duration } from '../duration.js';
import { table } from '../output.js';
import type { LeftOut } from './objects.js';

export type StepName = 'prepare' | 'copy volumes' | 'create objects' | 'start' | 'check' | 'remove';

export interface DrillStep {
  readonly name: StepName;
  readonly seconds: number;
}

export interface DrillReport {
  /** Of the copy; it is gone when `removed` is true. */
  readonly namespace: string;
  readonly result: 'Passed' | 'Failed';
  /** Why it failed, each a sentence. */
  readonly problems: readonly string[];
  readonly startedAt: string;
  /** State of the source that the copy had (ISO 8601); undefined: not known. */
  readonly stateOf?: string;
  /** How old that was when the volumes were copied. */
  readonly rpoSeconds?: number;
  /** Until everything was up, without the copying of the volumes: a failover has them there. */
  readonly rtoSeconds?: number;
  readonly steps: readonly DrillStep[];
  readonly volumes: readonly Pick<VolumeStatus, 'name' | 'phase' | 'bytesTotal' | 'filesTotal'>[];
  readonly objects: number;
  /** `Kind name` of what was started. */
  readonly started: readonly string[];
  readonly leftOut: readonly LeftOut[];
  readonly check?: { readonly command: string; readonly exitCode: number };
  readonly removed: boolean;
}

/** What went wrong in a drill that came to its end, as sentences. Pure. */
export function problemsOf(facts: {
  readonly failed: readonly string[];
  readonly notUp: readonly string[];
  readonly check: { readonly exitCode: number; readonly timedOut: boolean } | undefined;
}): string[] {
  const { failed, notUp, check } = facts;
  return [
    ...failed.map((one) => `could not be made: ${one}`),
    ...(notUp.length > 0 ? [`the copy did not come up: ${notUp.join(', ')}`] : []),
    ...(check?.timedOut === true ? ['the check has not ended in time'] : []),
    ...(check !== undefined && !check.timedOut && check.exitCode !== 0
      ? [`the check ended with ${check.exitCode}`]
      : []),
  ];
}

/** For people. Pure. */
export function described(report: DrillReport): string {
  const { result, rpoSeconds, rtoSeconds, stateOf, volumes, started, leftOut, check, steps } = report;
  const age =
    rpoSeconds === undefined ? 'unknown' : `${duration(rpoSeconds)} (state of ${stateOf ?? 'unknown'})`;
  const rows = [
    ['result', result],
    ['RPO of the data', age],
    ['RTO of the start', rtoSeconds === undefined ? 'not reached' : duration(rtoSeconds)],
    ['volumes copied', String(volumes.filter(({ phase }) => phase === 'Succeeded').length)],
    ['objects', String(report.objects)],
    ['started', started.join(', ') || 'nothing'],
    [
      'check',
      check === undefined ? 'none was run' : check.exitCode === 0 ? 'passed' : `exit code ${check.exitCode}`,
    ],
    ['steps', steps.map(({ name, seconds }) => `${name} ${duration(seconds)}`).join(', ')],
    ['removed', report.removed ? 'yes' : `no: namespace ${report.namespace}`],
  ];
  const left = leftOut.map(({ kind, name, reason }) => [kind, name, reason]);
  return left.length === 0 ? table(rows) : `${table(rows)}\n${table([['LEFT OUT', 'NAME', 'WHY'], ...left])}`;
}
