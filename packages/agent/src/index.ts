/** For tests of other packages; importing it starts nothing. */
export { runSshContainer, type SshContainerConfig } from './ssh-container/run-ssh-container.js';
/** For the reference page of metrics. */
export { SshMetrics } from './server/metrics.js';
export { MoverMetrics } from './mover/metrics.js';
