import { Agent, request } from 'node:https';
import { parse } from 'yaml';

/** The little that the tooling itself asks of an API server. Product and tests use their own clients. */
export class ApiClient {
  readonly #server: string;
  readonly #agent: Agent;

  /** @param kubeconfig YAML with inline certificates and one cluster and user */
  constructor(kubeconfig: string) {
    const config = parse(kubeconfig) as Kubeconfig;
    const cluster = config.clusters[0]?.cluster;
    const user = config.users[0]?.user;
    if (cluster === undefined || user === undefined) throw new Error('kubeconfig without cluster or user');
    const decode = (data: string): string => Buffer.from(data, 'base64').toString();
    this.#server = cluster.server;
    this.#agent = new Agent({
      ca: decode(cluster['certificate-authority-data']),
      cert: decode(user['client-certificate-data']),
      key: decode(user['client-key-data']),
      keepAlive: true,
    });
  }

  get<T>(path: string): Promise<T> {
    return this.#send<T>('GET', path);
  }

  delete(path: string): Promise<unknown> {
    return this.#send('DELETE', path);
  }

  /** Server-side apply: creates or brings to the given shape. */
  apply(path: string, object: object): Promise<unknown> {
    return this.#send(
      'PATCH',
      `${path}?fieldManager=dr-syncer-test-cluster&force=true`,
      JSON.stringify(object),
    );
  }

  close(): void {
    this.#agent.destroy();
  }

  #send<T>(method: string, path: string, body?: string): Promise<T> {
    const type = method === 'PATCH' ? 'application/apply-patch+yaml' : 'application/json';
    const headers = { accept: 'application/json', 'content-type': type };
    return new Promise((resolve, reject) => {
      const options = { method, headers, agent: this.#agent, timeout: 10_000 };
      const outgoing = request(new URL(path, this.#server), options, (response) => {
        const chunks: Buffer[] = [];
        response.on('data', (chunk: Buffer) => chunks.push(chunk));
        response.on('error', reject);
        response.on('end', () => {
          const text = Buffer.concat(chunks).toString();
          const status = response.statusCode ?? 0;
          if (status < 200 || status > 299) reject(new ApiError(method, path, status, text));
          else resolve((text.startsWith('{') ? JSON.parse(text) : text) as T);
        });
      });
      outgoing.on('timeout', () => outgoing.destroy(new Error(`${method} ${path}: no answer within 10 s`)));
      outgoing.on('error', reject);
      outgoing.end(body);
    });
  }
}

export class ApiError extends Error {
  readonly status: number;

  constructor(method: string, path: string, status: number, text: string) {
    super(`${method} ${path}: ${status} ${text.slice(0, 500)}`);
    this.name = 'ApiError';
    this.status = status;
  }
}

interface Kubeconfig {
  readonly clusters: { cluster: { server: string; 'certificate-authority-data': string } }[];
  readonly users: { user: { 'client-certificate-data': string; 'client-key-data': string } }[];
}
