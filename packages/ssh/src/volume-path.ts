import { hasControlCharacter } from './control-characters.js';

/** Absolute, no empty, `.` or `..` component, no slash at the end (except the root itself), nothing unprintable. */
export function isNormalAbsolutePath(path: string): boolean {
  if (path === '/') return true;
  if (!path.startsWith('/') || path.length > 4096 || hasControlCharacter(path)) return false;
  return path.slice(1).split('/').every(isPlainComponent);
}

/** A path below a directory: relative, and it never climbs. */
export function isRelativeInside(path: string): boolean {
  return path.length <= 4096 && !hasControlCharacter(path) && path.split('/').every(isPlainComponent);
}

function isPlainComponent(component: string): boolean {
  return component !== '' && component !== '.' && component !== '..';
}
