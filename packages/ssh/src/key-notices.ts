/**
 * What authorized_keys files of ours say about keys that have no line any more, in comments that OpenSSH passes over:
 *
 *     # dr-syncer revoked SHA256:... owner=...
 *
 * retired: replaced in order; a login with it is no alarm. revoked: whatever was begun with it ends, and no line lets
 * it in again.
 */
export interface KeyNotice {
  readonly kind: 'retired' | 'revoked';
  /** `SHA256:...` as ssh-keygen prints it. */
  readonly fingerprint: string;
}

/** More than any rotation leaves behind; a file of thousands was not written by us. */
const MAX_NOTICES = 1000;

export function renderKeyNotice({ kind, fingerprint }: KeyNotice): string {
  return `# dr-syncer ${kind} ${fingerprint}`;
}

/** The notices of a file, in its order. Never throws. */
export function parseKeyNotices(text: string): KeyNotice[] {
  const found = text.matchAll(/^# dr-syncer (retired|revoked) (SHA256:[A-Za-z0-9+/]{43})(?=\s|$)/gm);
  const notices: KeyNotice[] = [];
  for (const [, kind, fingerprint = ''] of found) {
    if (notices.length === MAX_NOTICES) break;
    notices.push({ kind: kind as KeyNotice['kind'], fingerprint });
  }
  return notices;
}
