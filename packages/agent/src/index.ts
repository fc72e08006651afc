/** For tests of other packages; importing it starts nothing. */
export { runSshContainer, type SshContainerConfig } from './ssh-container/run-ssh-container.js';
