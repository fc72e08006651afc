import { isErrorCode } from '@dr-syncer/api';

import { duration } from '../../duration.js';
import { type ReplicationView, replicationView } from '../../status/view.js';
import type { Check } from '../context.js';
import { type Finding, problem, well } from '../problems.js';

/** The Replications are in order, as their status says. */
export const replicationsInOrder: Check = ({ replications }) => {
  const now = new Date();
  return Promise.resolve(replications.map((object) => judgeReplication(replicationView(object, now))));
};

/** Pure. */
export function judgeReplication(view: ReplicationView): Finding {
  const { replication, phase, reason = '', message = '', overdueSeconds } = view;
  const at = { check: 'replications', subject: `Replication ${replication}` };
  if (phase === 'Unknown') return problem('DefinitionOutdated', at, message);
  if (phase === 'Paused' && reason === 'Paused')
    return problem('Paused', at, `${message} ${stateText(view)}`);
  if (isFailing(view)) return failing(view, at);
  if (overdueSeconds !== undefined) {
    const late = `the next sync should have begun ${duration(overdueSeconds)} ago`;
    return problem('SyncOverdue', at, `${late}; ${stateText(view)}`);
  }
  if (view.rpoSeconds === undefined && phase !== 'Running') return neverSynced(view, at);
  return well(at.check, at.subject, `${phase}, ${stateText(view)}`);
}

type At = Parameters<typeof problem>[1];

function isFailing({ phase, reason = '' }: ReplicationView): boolean {
  return phase === 'Failed' || reason === 'StandbyActive' || (phase === 'Pending' && isErrorCode(reason));
}

function failing(view: ReplicationView, at: At): Finding {
  const { reason = '', message = '' } = view;
  const text = `${message} ${stateText(view)}`.trim();
  if (isErrorCode(reason)) return softened(problem(reason, at, text));
  return problem('SyncFailed', at, text);
}

function neverSynced({ mode, message = 'nothing was ever synced' }: ReplicationView, at: At): Finding {
  const finding = problem('NeverSynced', at, `${mode}: ${message}`);
  return mode === 'Manual' ? { ...finding, severity: 'warning' } : finding;
}

/** That the application runs at the remote is a state, and no defect. */
function softened(finding: Finding): Finding {
  return finding.code === 'StandbyActive' ? { ...finding, severity: 'note' } : finding;
}

function stateText({ rpoSeconds }: ReplicationView): string {
  return rpoSeconds === undefined ? 'there is no standby yet' : `the standby is ${duration(rpoSeconds)} old`;
}
