/**
 * Calls an observer (log, metric) whose failure must not become the failure of what it observes. Nothing is left to
 * tell it to, so it ends here.
 */
export function contained(observe: () => void): void {
  try {
    observe();
  } catch {
    // See above.
  }
}
