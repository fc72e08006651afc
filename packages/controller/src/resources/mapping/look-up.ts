/** The entry for a key, else the one of "*"; undefined without either. */
export function lookUp(map: Readonly<Record<string, string>> | undefined, key: string): string | undefined {
  if (map === undefined) return undefined;
  if (Object.hasOwn(map, key)) return map[key];
  return Object.hasOwn(map, '*') ? map['*'] : undefined;
}
