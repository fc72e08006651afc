import type { Hello } from '@dr-syncer/controller';

import { type Finding, problem } from '../problems.js';

/** Pure. @param ours version of this program, which is released together with controller and agent */
export function judgeVersions(
  subject: string,
  { version, rsyncVersion, privilegedMovers }: Pick<Hello, 'version' | 'rsyncVersion' | 'privilegedMovers'>,
  ours: string,
): Finding[] {
  const at = { check: 'versions', subject };
  return [
    ...(version === ours
      ? []
      : [problem('AgentVersionDiffers', at, `the agent is ${version}, this program ${ours}`)]),
    ...(privilegedMovers
      ? []
      : [
          {
            ...problem('RsyncTooOld', at, `the agent has rsync ${rsyncVersion}`),
            severity: 'warning' as const,
          },
        ]),
  ];
}
