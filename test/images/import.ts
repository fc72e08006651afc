import type { TestClusters } from '../cluster/test-cluster.js';
import type { Images } from './images.js';

/** Brings images to all nodes of both clusters that don't have them yet, and moves the lasting names to them. */
export async function importImages(
  clusters: TestClusters,
  images: Partial<Images>,
  report: (line: string) => void,
): Promise<void> {
  const started = Date.now();
  for (const image of Object.values(images)) {
    await Promise.all([clusters.source.importImage(image), clusters.remote.importImage(image)]);
  }
  report(`images are on the nodes of both clusters (${((Date.now() - started) / 1000).toFixed(1)} s)`);
}
