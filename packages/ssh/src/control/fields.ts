import { z } from 'zod';

export const id = z.string().regex(/^[A-Za-z0-9][A-Za-z0-9._-]{0,127}$/);
export const time = z.iso.datetime();
export const fingerprint = z.string().regex(/^SHA256:[A-Za-z0-9+/]{43}$/);
/** Names that become path components: DNS labels and UIDs only, so never a slash or dot-dot. */
export const podUid = z.string().regex(/^[0-9a-f][0-9a-f-]{0,63}$/);
export const pvName = z.string().regex(/^[a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?$/);
