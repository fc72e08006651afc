/** C0, DEL and C1: what a terminal or a line-based format could act upon. */
export function hasControlCharacter(text: string): boolean {
  return /\p{Cc}/u.test(text);
}

/** The same, where tabs may separate words. */
export function hasControlOtherThanTab(text: string): boolean {
  return /[^\P{Cc}\t]/u.test(text);
}
