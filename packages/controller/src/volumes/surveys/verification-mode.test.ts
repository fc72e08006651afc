import { annotation, type Replication, replicationSchema } from '@dr-syncer/api';
import { describe, expect, test } from '@jest/globals';

import { verificationMode } from './verification-mode.js';

function replicationWith(verify: string | undefined): Replication {
  return replicationSchema.parse({
    metadata: {
      ...{ name: 'r', namespace: 'n', uid: 'u', generation: 1, resourceVersion: '1' },
      creationTimestamp: '2026-01-01T00:00:00Z',
      ...(verify !== undefined && { annotations: { [annotation.verify]: verify } }),
    },
    spec: { destinationCluster: 'c' },
  });
}

describe('Given a request', () => {
  test.each([
    [undefined, 'counts'],
    ['full=one', 'full'],
    ['sample=one', 'sample'],
    ['none=one', 'none'],
    ['full=another', 'counts'],
    ['full', 'counts'],
    ['all=one', 'counts'],
    ['full:data=one', 'full'],
    ['full:log=one', 'counts'],
    ['full:data=another', 'counts'],
  ])('When the annotation is %s, then the mode is %s', (text, mode) => {
    expect(verificationMode(replicationWith(text), 'one', 'data')).toBe(mode);
  });
});
