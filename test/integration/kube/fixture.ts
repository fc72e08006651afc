import { connect as connectSocket, createServer, type Server, type Socket } from 'node:net';
import type { AddressInfo } from 'node:net';
import {
  type ClusterAccess,
  KubeClient,
  type KubeObject,
  parseKubeconfig,
  type Resource,
  wellKnown,
} from '@dr-syncer/kube';
import { type ApiServer, startApiServer } from '../../cluster/index.js';

export const widgets: Resource = {
  group: 'shop.test',
  version: 'v1',
  plural: 'widgets',
  kind: 'Widget',
  namespaced: true,
};

const widgetDefinition = {
  apiVersion: 'apiextensions.k8s.io/v1',
  kind: 'CustomResourceDefinition',
  metadata: { name: 'widgets.shop.test' },
  spec: {
    group: 'shop.test',
    scope: 'Namespaced',
    names: { plural: 'widgets', singular: 'widget', kind: 'Widget', shortNames: ['wdg'] },
    versions: [
      {
        ...{ name: 'v1', served: true, storage: true, subresources: { status: {} } },
        schema: { openAPIV3Schema: { type: 'object', 'x-kubernetes-preserve-unknown-fields': true } },
      },
    ],
  },
};

export interface Api {
  readonly server: ApiServer;
  readonly access: ClusterAccess;
  readonly client: KubeClient;
  close(): Promise<void>;
}

/** A real API server with etcd, the namespace `shop`, and the type Widget. */
export async function startApi(): Promise<Api> {
  const server = await startApiServer();
  const access = parseKubeconfig(server.kubeconfig);
  const client = new KubeClient(access);
  await client.create(wellKnown.namespaces, {
    apiVersion: 'v1',
    kind: 'Namespace',
    metadata: { name: 'shop' },
  });
  await client.create(wellKnown.customResourceDefinitions, widgetDefinition);
  await until(async () => {
    const { status } = await client.get({
      resource: wellKnown.customResourceDefinitions,
      name: 'widgets.shop.test',
    });
    return (
      JSON.stringify(status).includes('"type":"Established","status":"True"') ||
      JSON.stringify(status).includes('Established')
    );
  });
  await until(
    async () => (await client.find({ resource: widgets, namespace: 'shop', name: 'x' })) === undefined,
  );
  return {
    ...{ server, access, client },
    close: async () => {
      await client.close();
      await server.stop();
    },
  };
}

export function configMap(name: string, data: Record<string, string> = {}): KubeObject {
  return { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name, namespace: 'shop' }, data };
}

export function widget(name: string, spec: object = {}): KubeObject {
  return { apiVersion: 'shop.test/v1', kind: 'Widget', metadata: { name, namespace: 'shop' }, spec };
}

export async function until(check: () => boolean | Promise<boolean>, ms = 20_000): Promise<void> {
  const deadline = performance.now() + ms;
  for (;;) {
    if (await Promise.resolve(check()).catch(() => false)) return;
    if (performance.now() > deadline) throw new Error(`not within ${ms} ms: ${check.toString()}`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

/** A TCP proxy before the API server, for a network that breaks. TLS goes through it untouched. */
export class Proxy {
  readonly access: ClusterAccess;
  /** No new connections while false. */
  open = true;
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();

  constructor(server: Server, access: ClusterAccess) {
    this.#server = server;
    this.access = { ...access, server: `https://127.0.0.1:${(server.address() as AddressInfo).port}` };
  }

  static async start(access: ClusterAccess): Promise<Proxy> {
    const server = createServer();
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const proxy = new Proxy(server, access);
    const port = Number(new URL(access.server).port);
    server.on('connection', (near) => proxy.#join(near, port));
    return proxy;
  }

  /** Breaks all connections. */
  cut(): void {
    for (const socket of this.#sockets) socket.resetAndDestroy();
  }

  async close(): Promise<void> {
    this.cut();
    await new Promise((resolve) => this.#server.close(resolve));
  }

  #join(near: Socket, port: number): void {
    if (!this.open) {
      near.resetAndDestroy();
      return;
    }
    const far = connectSocket(port, '127.0.0.1');
    for (const [one, other] of [
      [near, far],
      [far, near],
    ] as const) {
      this.#sockets.add(one);
      one.on('error', () => other.destroy());
      one.once('close', () => {
        this.#sockets.delete(one);
        other.destroy();
      });
      one.pipe(other);
    }
  }
}
