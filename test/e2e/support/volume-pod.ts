import type { Kubectl, KubeObject } from '../../demo/kubectl.js';

const unprivileged = {
  runAsUser: 1000,
  runAsNonRoot: true,
  allowPrivilegeEscalation: false,
  capabilities: { drop: ['ALL'] },
};

/** A pod that mounts a claim at /data and waits. */
export function volumePod(name: string, namespace: string, claim: string, image: string): KubeObject {
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name, namespace, labels: { 'dr-syncer.io/ignore': 'true' } },
    spec: {
      automountServiceAccountToken: false,
      terminationGracePeriodSeconds: 0,
      securityContext: { fsGroup: 1000 },
      containers: [
        {
          name: 'hold',
          image,
          imagePullPolicy: 'IfNotPresent',
          args: ['python3', '-c', 'import time; time.sleep(1e9)'],
          securityContext: unprivileged,
          volumeMounts: [{ name: 'data', mountPath: '/data' }],
        },
      ],
      volumes: [{ name: 'data', persistentVolumeClaim: { claimName: claim } }],
    },
  };
}

export function claim(name: string, namespace: string, storageClassName: string): KubeObject {
  return {
    apiVersion: 'v1',
    kind: 'PersistentVolumeClaim',
    metadata: { name, namespace },
    spec: { accessModes: ['ReadWriteOnce'], storageClassName, resources: { requests: { storage: '1Gi' } } },
  };
}

export async function ready(at: Kubectl, namespace: string, pod: string): Promise<void> {
  const wait = ['wait', `pod/${pod}`, '-n', namespace, '--for=condition=Ready', '--timeout=120s'];
  await at.run(wait, { timeoutMs: 130_000 });
}

/** Runs a Python program in the pod. */
export function python(at: Kubectl, namespace: string, pod: string, program: string): Promise<string> {
  return at.run(['exec', '-n', namespace, '-i', pod, '--', 'python3', '-'], { input: program });
}

/** Fills the volume with `megabytes` of noise in four files. */
export function fill(at: Kubectl, namespace: string, pod: string, megabytes: number): Promise<string> {
  const program = `import os
for n in range(4):
    with open(f'/data/noise-{n}', 'wb') as f:
        for _ in range(${megabytes / 4}):
            f.write(os.urandom(1 << 20))
`;
  return python(at, namespace, pod, program);
}

/** One line a file: name, size, hash. */
export function digest(at: Kubectl, namespace: string, pod: string): Promise<string> {
  const program = `import hashlib, os
for name in sorted(os.listdir('/data')):
    path = os.path.join('/data', name)
    if os.path.isfile(path):
        with open(path, 'rb') as f:
            print(name, os.path.getsize(path), hashlib.file_digest(f, 'sha256').hexdigest())
`;
  return python(at, namespace, pod, program);
}
