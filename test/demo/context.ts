import type { Kubectl } from './kubectl.js';
import type { Screen } from './screen.js';
import type { Settings } from './settings.js';

/** What every part of the story works with. */
export interface Context {
  readonly source: Kubectl;
  readonly remote: Kubectl;
  readonly screen: Screen;
  readonly settings: Settings;
}
