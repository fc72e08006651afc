import type { Server } from 'node:http';
import type { AddressInfo } from 'node:net';

/** What is asked for metrics: a prom-client Registry, or something that adds to one. */
export interface MetricsSource {
  readonly contentType: string;
  metrics(): Promise<string>;
}

/** Answers whether a part of the process works; the text says why not. */
export type HealthCheck = () => { ok: true } | { ok: false; reason: string };

interface Route {
  readonly path: string;
  readonly handle: () => Promise<{ status: number; type: string; body: string }>;
}

/**
 * Not imported: an `import` of it reads everything that it exports, and with that loads the whole of undici (12 MiB of
 * memory, Node.js 24).
 */
const { createServer } = process.getBuiltinModule('node:http');

async function listen(port: number, host: string, routes: readonly Route[]): Promise<HttpServer> {
  const server = createServer((req, res) => {
    const route = routes.find((r) => r.path === (req.url ?? '').split('?')[0]);
    if (route === undefined || req.method !== 'GET') {
      res.writeHead(404).end();
      return;
    }
    route.handle().then(
      ({ status, type, body }) => res.writeHead(status, { 'content-type': type }).end(body),
      () => res.writeHead(500).end(),
    );
  });
  server.headersTimeout = 5_000;
  server.requestTimeout = 5_000;
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(port, host, resolve);
  });
  return new HttpServer(server);
}

/** A listening server of one of the functions below. */
export class HttpServer {
  readonly #server: Server;

  constructor(server: Server) {
    this.#server = server;
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port;
  }

  close(): Promise<void> {
    this.#server.closeAllConnections();
    return new Promise((resolve) => this.#server.close(() => resolve()));
  }
}

/** `GET /metrics` in the Prometheus text format. */
export function serveMetrics(port: number, source: MetricsSource, host = '0.0.0.0'): Promise<HttpServer> {
  const handle = async () => ({ status: 200, type: source.contentType, body: await source.metrics() });
  return listen(port, host, [{ path: '/metrics', handle }]);
}

/** `GET /healthz` (restart me) and `GET /readyz` (send me work): 200, or 503 with the reasons, one a line. */
export function serveHealth(
  port: number,
  checks: { live: Readonly<Record<string, HealthCheck>>; ready: Readonly<Record<string, HealthCheck>> },
  host = '0.0.0.0',
): Promise<HttpServer> {
  const route = (path: string, set: Readonly<Record<string, HealthCheck>>): Route => ({
    path,
    handle: () => {
      const failed = Object.entries(set).flatMap(([name, check]) => {
        const result = check();
        return result.ok ? [] : [`${name}: ${result.reason}`];
      });
      const ok = failed.length === 0;
      return Promise.resolve({
        status: ok ? 200 : 503,
        type: 'text/plain',
        body: ok ? 'ok\n' : `${failed.join('\n')}\n`,
      });
    },
  });
  return listen(port, host, [route('/healthz', checks.live), route('/readyz', checks.ready)]);
}
