import { Counter, Gauge, type Registry } from 'prom-client';

/** Metrics of the mover. One set a registry. */
export class MoverMetrics {
  readonly receivers: Gauge;
  readonly transfers: Counter<'result'>;
  readonly bytes: Counter<'direction'>;
  readonly deletedFiles: Counter;

  /** @param running transfers now */
  constructor(registry: Registry, running: () => number) {
    const registers = [registry];
    const name = (suffix: string) => `dr_syncer_mover_${suffix}`;
    this.receivers = new Gauge({
      name: name('receivers_running'),
      help: 'rsync servers waiting or running',
      registers,
    });
    new Gauge({
      name: name('transfers_running'),
      help: 'Transfers running of which this node is the source',
      registers,
      collect() {
        this.set(running());
      },
    });
    this.transfers = new Counter({
      name: name('transfers_total'),
      help: 'Transfers that have ended, by Succeeded or the code of their error',
      labelNames: ['result'],
      registers,
    });
    this.bytes = new Counter({
      name: name('transfer_bytes_total'),
      help: "Bytes of rsync's protocol in transfers that have ended",
      labelNames: ['direction'],
      registers,
    });
    this.deletedFiles = new Counter({
      name: name('deleted_files_total'),
      help: 'Files that transfers removed at their destination',
      registers,
    });
  }
}
