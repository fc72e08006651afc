import { annotation, type Replication, verificationModes } from '@dr-syncer/api';

export type VerificationMode = (typeof verificationModes)[number];

/**
 * As the spec says, or as the annotation `verify` says for this one request. One that can't be read says nothing: it is
 * the CLI that writes it, and the status names the mode that was used.
 */
export function verificationMode(
  { metadata, spec }: Pick<Replication, 'metadata' | 'spec'>,
  request: string,
): VerificationMode {
  const [mode, ...rest] = (metadata.annotations[annotation.verify] ?? '').split('=');
  const asked = verificationModes.find((each) => each === mode);
  return asked !== undefined && rest.join('=') === request ? asked : spec.pvcConfig.verification;
}
