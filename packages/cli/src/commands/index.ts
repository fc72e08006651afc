import type { Command } from 'commander';

import type { Surroundings } from '../surroundings.js';
import { completion } from './completion.js';
import { doctor } from './doctor.js';
import { drill } from './drill.js';
import { explain } from './explain.js';
import { failback } from './failback.js';
import { failover } from './failover.js';
import { install } from './install.js';
import { kubeconfig } from './kubeconfig.js';
import { plan } from './plan.js';
import { rotateKeys } from './rotate-keys.js';
import { status } from './status.js';
import { sync } from './sync.js';
import { uninstall } from './uninstall.js';
import { verify } from './verify.js';
import { version } from './version.js';

/** Makes one command of the program. Its action throws to fail; see failure.ts. */
export type MakeCommand = (around: Surroundings) => Command;

/** Every command, in the order of the help text. A new one is a file here and its line in this list. */
export const commands: readonly MakeCommand[] = [
  status,
  sync,
  verify,
  plan,
  doctor,
  explain,
  failover,
  failback,
  drill,
  rotateKeys,
  install,
  uninstall,
  kubeconfig,
  completion,
  version,
];
