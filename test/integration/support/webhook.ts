import { createServer, type Server } from 'node:https';
import { mkdtemp, rm } from 'node:fs/promises';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import type { KubeObject } from '@dr-syncer/kube';

import { Pki } from '../../cluster/pki.js';

/** What a webhook says to an object that is to be written: a refusal, or a JSON patch. */
export interface Verdict {
  readonly denied?: string;
  readonly patch?: readonly object[];
}

/** An admission webhook of this process, for API servers of this machine (admission.k8s.io/v1). */
export interface Webhook {
  /** For the configuration of the webhook. */
  readonly clientConfig: { readonly url: string; readonly caBundle: string };
  close(): Promise<void>;
}

interface Review {
  readonly request: { readonly uid: string; readonly object: KubeObject };
}

export async function startWebhook(judge: (object: KubeObject) => Verdict): Promise<Webhook> {
  const directory = await mkdtemp(join(tmpdir(), 'dr-syncer-webhook-'));
  const pki = new Pki(directory);
  await pki.ensureAuthority('webhook');
  await pki.ensure({ name: 'hook', commonName: 'hook', names: ['IP:127.0.0.1'] });
  const [cert, key, ca] = await Promise.all(['hook.crt', 'hook.key', 'ca.crt'].map((one) => pki.read(one)));
  const server: Server = createServer({ cert, key }, (request, response) => {
    const chunks: Buffer[] = [];
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    request.on('end', () => {
      const { uid, object } = (JSON.parse(Buffer.concat(chunks).toString()) as Review).request;
      const { denied, patch } = judge(object);
      const answer = {
        ...{ uid, allowed: denied === undefined },
        ...(denied !== undefined && { status: { message: denied } }),
        ...(patch && {
          patchType: 'JSONPatch',
          patch: Buffer.from(JSON.stringify(patch)).toString('base64'),
        }),
      };
      response.setHeader('content-type', 'application/json');
      response.end(
        JSON.stringify({ apiVersion: 'admission.k8s.io/v1', kind: 'AdmissionReview', response: answer }),
      );
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  return {
    clientConfig: {
      url: `https://127.0.0.1:${port}/`,
      caBundle: Buffer.from(ca ?? '').toString('base64'),
    },
    close: async () => {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
      await rm(directory, { recursive: true, force: true });
    },
  };
}
