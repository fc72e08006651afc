import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createServer, type AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { eventually } from '../../support/eventually.js';

export interface PrometheusOptions {
  /** `host:port` of each /metrics. */
  readonly targets: readonly string[];
  /** A rule file's text. */
  readonly rules: string;
}

interface Alert {
  readonly labels: Readonly<Record<string, string>>;
  readonly state: 'pending' | 'firing';
}

interface Sample {
  readonly metric: Readonly<Record<string, string>>;
  readonly value: readonly [number, string];
}

/** Debian's Prometheus, scraping every second. */
export class Prometheus {
  readonly #child: ChildProcess;
  readonly #dir: string;
  readonly #url: string;

  private constructor(child: ChildProcess, dir: string, url: string) {
    this.#child = child;
    this.#dir = dir;
    this.#url = url;
  }

  static async start({ targets, rules }: PrometheusOptions): Promise<Prometheus> {
    const dir = await mkdtemp(join(tmpdir(), 'dr-syncer-prometheus-'));
    const config = {
      global: { scrape_interval: '1s', scrape_timeout: '1s', evaluation_interval: '1s' },
      rule_files: [join(dir, 'rules.yaml')],
      scrape_configs: [{ job_name: 'dr-syncer', honor_labels: true, static_configs: [{ targets }] }],
    };
    await writeFile(join(dir, 'prometheus.yaml'), JSON.stringify(config));
    await writeFile(join(dir, 'rules.yaml'), rules);
    const address = `127.0.0.1:${await freePort()}`;
    const child = spawn(
      'prometheus',
      [
        ...[`--config.file=${join(dir, 'prometheus.yaml')}`, `--storage.tsdb.path=${join(dir, 'data')}`],
        ...[`--web.listen-address=${address}`, '--log.level=warn'],
      ],
      { stdio: ['ignore', 'ignore', 'inherit'] },
    );
    const prometheus = new Prometheus(child, dir, `http://${address}`);
    await eventually('Prometheus is ready', () =>
      fetch(`http://${address}/-/ready`).then(
        (answer) => (answer.ok ? true : undefined),
        () => undefined,
      ),
    );
    return prometheus;
  }

  async alerts(): Promise<readonly Alert[]> {
    return (await this.#get<{ alerts: Alert[] }>('/api/v1/alerts')).alerts;
  }

  /** @throws Error when the query is not valid */
  async query(query: string): Promise<readonly Sample[]> {
    const path = `/api/v1/query?query=${encodeURIComponent(query)}`;
    return (await this.#get<{ result: Sample[] }>(path)).result;
  }

  async stop(): Promise<void> {
    const ended = new Promise((resolve) => this.#child.once('exit', resolve));
    this.#child.kill('SIGTERM');
    await ended;
    await rm(this.#dir, { recursive: true, force: true });
  }

  async #get<T>(path: string): Promise<T> {
    const answer = (await (await fetch(`${this.#url}${path}`)).json()) as {
      status: string;
      data: T;
      error?: string;
    };
    if (answer.status !== 'success') throw new Error(`${path}: ${answer.error ?? answer.status}`);
    return answer.data;
  }
}

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return port;
}
