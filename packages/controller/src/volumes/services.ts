import type { PlaceholderKeeper } from './placeholders/keeper.js';
import type { Bandwidth } from './scheduler/bandwidth.js';
import type { VolumeScheduler } from './scheduler/volume-scheduler.js';
import type { StreamSettings } from './stream-limit.js';

/** What all volumes of all Replications share. */
export interface VolumeServices {
  readonly scheduler: VolumeScheduler;
  readonly bandwidth: Bandwidth;
  readonly streams: StreamSettings;
  readonly keeper: PlaceholderKeeper;
  readonly placeholderImage: string;
}
