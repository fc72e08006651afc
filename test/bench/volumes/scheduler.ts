import { VolumeScheduler } from '@dr-syncer/controller';
import { Registry } from 'prom-client';

/** Milliseconds of CPU that deciding takes for each of many volumes that ask at once. */
export async function schedulerCpu(volumes: number): Promise<number> {
  const limits = { transfers: 8, perNode: 4, ofRemote: () => ({}) };
  const scheduler = new VolumeScheduler(limits, new Registry());
  const { signal } = new AbortController();
  const before = process.cpuUsage();
  const all = Array.from({ length: volumes }, (_, index) =>
    scheduler.run(
      {
        ...{ volume: `volume-${index}`, remote: 'ns/remote', namespace: `ns-${index % 20}`, priority: 0 },
        prepare: () => Promise.resolve({ sourceNode: `s-${index % 5}`, destinationNode: `d-${index % 5}` }),
        transfer: () => new Promise<void>((resolve) => setImmediate(resolve)),
      },
      signal,
    ),
  );
  await Promise.all(all);
  const { user, system } = process.cpuUsage(before);
  return (user + system) / 1_000 / volumes;
}
