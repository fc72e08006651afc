/** What of a CycloneDX component is read here. */
export interface Component {
  readonly name: string;
  readonly version: string;
  readonly licenses?: readonly {
    readonly license?: { readonly id?: string; readonly name?: string };
    readonly expression?: string;
  }[];
}

/** Under which an image may be passed on without more than the text of the licence. SPDX identifiers. */
const permissive = new Set([
  ...[
    '0BSD',
    'Apache-2.0',
    'BlueOak-1.0.0',
    'BSD-2-Clause',
    'BSD-3-Clause',
    'CC0-1.0',
    'ISC',
    'MIT',
    'MIT-0',
  ],
  ...['Python-2.0', 'Unlicense', 'Zlib'],
]);

/** As an SPDX expression; undefined when the package names none. */
export function licenceOf({ licenses = [] }: Component): string | undefined {
  const each = licenses.map(({ license, expression }) => expression ?? license?.id ?? license?.name);
  const known = each.filter((one) => one !== undefined);
  return known.length === 0 ? undefined : known.join(' AND ');
}

/** `A OR B` is permissive when one of them is, `A AND B` when both are. */
export function isPermissive(expression: string): boolean {
  const text = expression.replaceAll(/[()]/g, ' ').trim();
  return text
    .split(/\s+AND\s+/)
    .every((part) => part.split(/\s+OR\s+/).some((one) => permissive.has(one.trim())));
}

export interface LicenceReport {
  readonly rows: readonly { readonly name: string; readonly version: string; readonly licence: string }[];
  /** `name@version: licence` of what may not be passed on without a second thought. */
  readonly questionable: readonly string[];
}

/** Of all components, each once, by name. */
export function licencesOf(components: readonly Component[]): LicenceReport {
  const byKey = new Map(components.map((one) => [`${one.name}@${one.version}`, one]));
  const rows = [...byKey.values()]
    .map((one) => ({ name: one.name, version: one.version, licence: licenceOf(one) ?? 'none named' }))
    .sort((a, b) => (a.name === b.name ? a.version.localeCompare(b.version) : a.name.localeCompare(b.name)));
  const questionable = rows.filter(({ licence }) => !isPermissive(licence));
  return { rows, questionable: questionable.map((row) => `${row.name}@${row.version}: ${row.licence}`) };
}
