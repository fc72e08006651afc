import { spawn } from 'node:child_process';
import { createInterface } from 'node:readline';

export interface PortForward {
  /** `127.0.0.1:port` */
  readonly address: string;
  stop(): Promise<void>;
}

/** `kubectl port-forward`, to a port of this machine that it chooses. */
export async function portForward(
  kubeconfig: string,
  namespace: string,
  target: string,
  port: number,
): Promise<PortForward> {
  const child = spawn(
    'kubectl',
    ['--kubeconfig', kubeconfig, 'port-forward', '-n', namespace, target, `:${port}`],
    { stdio: ['ignore', 'pipe', 'inherit'] },
  );
  const ended = new Promise<void>((resolve) => child.once('exit', () => resolve()));
  const address = await new Promise<string>((resolve, reject) => {
    const lines = createInterface({ input: child.stdout });
    lines.on('line', (line) => {
      const match = /Forwarding from (127\.0\.0\.1:\d+)/.exec(line);
      if (match?.[1] !== undefined) resolve(match[1]);
    });
    void ended.then(() => reject(new Error('kubectl port-forward ended')));
  });
  return {
    address,
    stop: async () => {
      child.kill('SIGTERM');
      await ended;
    },
  };
}
