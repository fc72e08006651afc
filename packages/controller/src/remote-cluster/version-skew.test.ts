import { describe, expect, test } from '@jest/globals';

import { versionCondition } from './version-skew.js';

describe('Given the versions of source and remote', () => {
  test.each([
    ['v1.34.1', 'v1.34.1', 'True', 'v1.34.1'],
    ['v1.34.1', 'v1.31.0-gke.100', 'True', 'v1.31.0-gke.100'],
    ['v1.31.2+k3s1', 'v1.34.0', 'True', ''],
    ['v1.34.1', 'v1.30.9', 'False', 'older than the source'],
    ['v1.30.0', 'v1.34.0', 'False', 'newer than the source'],
    ['v1.26.0', 'v1.24.17', 'False', 'older than v1.25'],
    ['v1.34.1', 'v2.0.0', 'False', 'newer'],
    ['v1.34.1', 'v0.0.0-master+$Format:%H$', 'False', 'older than v1.25'],
    ['v1.34.1', 'banana', 'False', 'cannot be compared'],
  ])('When they are %s and %s Then it is %s', (source, remote, status, text) => {
    const condition = versionCondition(source, remote);

    expect(condition).toMatchObject({ type: 'VersionsCompatible', status });
    expect(condition.message).toContain(text);
  });
});
