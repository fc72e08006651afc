import { invalidValue, NOTHING, type FieldError } from './field-error.js';
import type { Capabilities, Constraints } from './types.js';

type Rules = Pick<Constraints, 'defaultAddCapabilities' | 'requiredDropCapabilities' | 'allowedCapabilities'>;

/** Stands for every capability in `allowedCapabilities`. */
const ALL_ALLOWED = '*';

/** What admission adds and drops, sorted; undefined: what was asked for stays as it is. */
export function generateCapabilities(
  rules: Rules,
  asked: Capabilities | null | undefined,
): Capabilities | undefined {
  const [askedAdd, askedDrop] = [new Set(asked?.add), new Set(asked?.drop)];
  const defaults = (rules.defaultAddCapabilities ?? []).filter((name) => !askedDrop.has(name));
  const add = new Set([...askedAdd, ...defaults]);
  const drop = new Set([...askedDrop, ...(rules.requiredDropCapabilities ?? [])]);
  if (add.size === askedAdd.size && drop.size === askedDrop.size) return undefined;
  return {
    ...(add.size > 0 && { add: [...add].sort() }),
    ...(drop.size > 0 && { drop: [...drop].sort() }),
  };
}

export function validateCapabilities(
  rules: Rules,
  path: string,
  capabilities: Capabilities | null | undefined,
): FieldError[] {
  const at = `${path}.capabilities`;
  const defaults = rules.defaultAddCapabilities ?? [];
  const required = rules.requiredDropCapabilities ?? [];
  const allowed = rules.allowedCapabilities ?? [];
  if (capabilities === undefined || capabilities === null) {
    if (defaults.length === 0 && required.length === 0) return [];
    return [invalidValue(at, NOTHING, 'required capabilities are not set on the securityContext')];
  }
  if (allowed.includes(ALL_ALLOWED)) return [];
  const { add, drop } = capabilities;
  return [
    ...(add ?? [])
      .filter((name) => !defaults.includes(name) && !allowed.includes(name))
      .map((name) => invalidValue(`${at}.add`, name, 'capability may not be added')),
    ...required
      .filter((name) => !(drop ?? []).includes(name))
      .map((name) => ({
        ...{ path: `${at}.drop`, type: 'Invalid' as const, value: dropText(drop) },
        detail: `${name} is required to be dropped but was not found`,
      })),
  ];
}

/** As Go's `%#v` writes a list of capabilities. */
function dropText(drop: readonly string[] | null | undefined): string {
  if (drop === undefined || drop === null) return '[]core.Capability(nil)';
  return `[]core.Capability{${drop.map((name) => JSON.stringify(name)).join(', ')}}`;
}
