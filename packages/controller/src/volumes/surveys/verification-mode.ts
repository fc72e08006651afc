import { annotation, type Replication, verificationModes } from '@dr-syncer/api';

export type VerificationMode = (typeof verificationModes)[number];

/**
 * As the spec says, or as the annotation `verify` says for this one request: `MODE=REQUEST`, `MODE:CLAIM=REQUEST` for one
 * volume alone. One that can't be read says nothing: it is the CLI that writes it, and the status names the mode that was
 * used.
 */
export function verificationMode(
  { metadata, spec }: Pick<Replication, 'metadata' | 'spec'>,
  request: string,
  claim: string,
): VerificationMode {
  const text = metadata.annotations[annotation.verify] ?? '';
  const [, mode, only, of] = /^([a-z]+)(?::([^=]*))?=(.*)$/s.exec(text) ?? [];
  const asked = verificationModes.find((each) => each === mode);
  const isMeant = of === request && (only === undefined || only === claim);
  return asked !== undefined && isMeant ? asked : spec.pvcConfig.verification;
}
