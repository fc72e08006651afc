/**
 * Label values of `dr_syncer_ssh_limit_hits_total`: a connection that a limit dropped or ended, or something that one
 * cut off. Which limit each stands for: docs/reference/ssh-server.md.
 */
export const limitHits = [
  'loginGrace',
  'startups',
  'startupsPerSource',
  'handshakes',
  'handshakesPerSource',
  'authAttempts',
  'authRequests',
  'connections',
  'connectionsPerKey',
  'commandGrace',
  'idle',
  'total',
  'keepalive',
  'rekey',
  'rekeys',
  'refusals',
  'receiveWindow',
  'windowBytes',
  'windowBytesTotal',
  'sendBuffer',
  'stderr',
  'grants',
] as const;

export type LimitHit = (typeof limitHits)[number];
