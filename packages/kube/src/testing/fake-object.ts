import type { ServerResponse } from 'node:http';
import type { KubeObject } from '../types.js';
import { type SeenRequest, sendJson, sendStatus } from './fake-server.js';

/** One stored object with the optimistic lock of an API server: POST, GET, PUT. */
export class FakeObject {
  stored: KubeObject | undefined;
  writes = 0;
  /** Answers in place of the object when it returns true. */
  intercept: (request: SeenRequest, response: ServerResponse) => boolean = () => false;
  #revision = 0;

  readonly handler = (request: SeenRequest, response: ServerResponse): void => {
    if (this.intercept(request, response)) return;
    if (request.method === 'GET') this.#answer(response);
    else this.#write(request, response);
  };

  #write({ method, body }: SeenRequest, response: ServerResponse): void {
    const sent = JSON.parse(body) as KubeObject;
    const version = this.stored?.metadata.resourceVersion;
    if (method === 'POST' && this.stored !== undefined) sendStatus(response, 409, 'AlreadyExists');
    else if (method === 'PUT' && sent.metadata.resourceVersion !== version)
      sendStatus(response, 409, 'Conflict');
    else {
      this.writes += 1;
      this.#revision += 1;
      this.stored = { ...sent, metadata: { ...sent.metadata, resourceVersion: String(this.#revision) } };
      this.#answer(response);
    }
  }

  #answer(response: ServerResponse): void {
    if (this.stored === undefined) sendStatus(response, 404, 'NotFound');
    else sendJson(response, 200, this.stored);
  }
}
