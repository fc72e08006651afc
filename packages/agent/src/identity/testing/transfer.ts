import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** Directories of one transfer, on a file system with owners, attributes and devices. */
export interface Bench {
  readonly dir: string;
  readonly source: string;
  readonly destination: string;
}

export function makeBench(): Bench {
  const dir = mkdtempSync(join(tmpdir(), 'dr-syncer-matrix-'));
  chmodSync(dir, 0o755);
  const bench = { dir, source: join(dir, 'source'), destination: join(dir, 'destination') };
  mkdirSync(bench.source);
  mkdirSync(bench.destination);
  return bench;
}

export function removeBench({ dir }: Bench): void {
  rmSync(dir, { recursive: true, force: true });
}

export interface Ended {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

export interface TransferSetup {
  readonly bench: Bench;
  /** Starts the sending rsync. */
  readonly sender: Start;
  readonly senderOptions: readonly string[];
  /** Starts the receiving one. */
  readonly receiver: Start;
  readonly receiverOptions: readonly string[];
}

export type Start = (
  args: readonly string[],
  options: { cwd: string; stdio: (Socket | 'pipe' | 'ignore')[] },
) => ChildProcess;

/** Stands in for ssh: writes down what was asked for, and hands its streams on to a unix socket. */
const CONNECTOR = `
import { connect } from 'node:net';
import { writeFileSync } from 'node:fs';
const [socket, words, , ...command] = process.argv.slice(2);
writeFileSync(words, JSON.stringify(command));
const connection = connect({ path: socket, allowHalfOpen: true });
process.stdin.pipe(connection).pipe(process.stdout);
connection.on('end', () => {
  process.stdin.destroy();
  connection.end();
});
`;

/** One rsync push as an agent does it: the receiver gets the connection itself, and starts in its directory. */
export async function transfer(setup: TransferSetup): Promise<{ sender: Ended; receiver: Ended }> {
  const { bench } = setup;
  const run = mkdtempSync(join(bench.dir, 'run-'));
  chmodSync(run, 0o777);
  const [socketPath, words, connector] = ['socket', 'words.json', 'connector.mjs'].map((name) =>
    join(run, name),
  ) as [string, string, string];
  writeFileSync(connector, CONNECTOR);
  const server = createServer({ pauseOnConnect: true, allowHalfOpen: true }).listen(socketPath);
  await once(server, 'listening');
  chmodSync(socketPath, 0o777);

  const rsh = `${process.execPath} ${connector} ${socketPath} ${words}`;
  const sender = setup.sender([...setup.senderOptions, '-e', rsh, './', 'peer:/volume'], {
    cwd: bench.source,
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const sent = ended(sender);
  const [socket] = (await Promise.race([
    once(server, 'connection'),
    sent.then(({ stderr }) => Promise.reject(new Error(`no connection: ${stderr}`))),
  ])) as [Socket];
  server.close();
  const command = JSON.parse(readFileSync(words, 'utf8')) as string[];
  // `rsync --server OPTIONS . PATH`: ours come before the dot, and the path is the directory that it starts in.
  const args = ['--server', ...setup.receiverOptions, ...command.slice(2, -2), '.', '.'];
  const receiver = setup.receiver(args, { cwd: bench.destination, stdio: [socket, socket, 'pipe'] });
  const received = ended(receiver);
  await once(receiver, 'spawn');
  socket.on('error', () => undefined).destroy();
  return { sender: await sent, receiver: await received };
}

async function ended(child: ChildProcess): Promise<Ended> {
  let [stdout, stderr] = ['', ''];
  child.stdout?.setEncoding('utf8').on('data', (text: string) => (stdout += text));
  child.stderr?.setEncoding('utf8').on('data', (text: string) => (stderr += text));
  const [code] = (await once(child, 'close')) as [number | null];
  return { code, stdout, stderr };
}
