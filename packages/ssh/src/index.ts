export * from './authorized-keys.js';
export type { AuthorizedKeyOptions } from './authorized-keys-options.js';
export * from './control/client.js';
export * from './control/messages.js';
export * from './control/peer.js';
export type { Handler, Handlers } from './control/responder.js';
export * from './forced-command.js';
export * from './from-patterns.js';
export * from './json-setting.js';
export * from './key-agent.js';
export * from './key-notices.js';
export * from './keys.js';
export * from './openssh-client.js';
export {
  fingerprintOfBlob,
  MIN_RSA_BITS,
  parsePublicBlob,
  parsePublicLine,
  type PublicKey,
  PublicKeyRefused,
  type PublicKeyType,
} from './public-key.js';
export { Redacted } from './redacted.js';
export * from './refusals.js';
export { parseRsyncServerArgs, type RsyncPolicy, type RsyncServerRequest } from './rsync-args.js';
export * from './ssh-algorithms.js';
export * from './ssh-limits.js';
export * from './tokenizer.js';
