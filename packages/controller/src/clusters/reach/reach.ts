import type { Duplex } from 'node:stream';

/** What the control connection is made over. */
export interface ControlRoute {
  readonly host: string;
  readonly port: number;
  /** A connection that is open already; absent: TCP to host and port. */
  readonly socket?: Duplex;
}

/** What a transfer's ssh connects to, for as long as it is not closed. */
export interface DataRoute {
  readonly host: string;
  readonly port: number;
  /** Addresses that the receiving agent will see the connection come from. */
  readonly from: readonly string[];
  /** Through this process: the way is gone when it ends. */
  readonly relayed: boolean;
  /** The sender could not connect. True: the next route will be another. */
  failed(why: string): boolean;
  close(): void;
}

/** How nodes are reached, for status. */
export interface ReachReport {
  readonly mode: 'Direct' | 'PortForward' | 'Mixed';
  readonly message: string;
}

/** A way to the agents of a cluster. SSH runs end to end over each of them, with the same pinned host keys. */
export interface Reach {
  /**
   * Runs `attempt` with a route to the node's agent, and with another one when there is another and that failed for want
   * of a connection.
   */
  control<T>(node: string, attempt: (route: ControlRoute) => Promise<T>, signal: AbortSignal): Promise<T>;
  /** @param from addresses of the sending agent */
  data(node: string, from: readonly string[], signal: AbortSignal): Promise<DataRoute>;
  report(): ReachReport;
  /** Forgets what it knows of other nodes than these. */
  retain(nodes: readonly string[]): void;
}
