import { collectDefaultMetrics, Registry } from 'prom-client';

/** prom-client's own 10 ms wake an idle process up a hundred times a second. */
const EVENT_LOOP_MS = 100;

/** A registry that has what prom-client tells of the process and of Node.js (`process_*`, `nodejs_*`). */
export function processRegistry(): Registry {
  const register = new Registry();
  collectDefaultMetrics({ register, eventLoopMonitoringPrecision: EVENT_LOOP_MS });
  return register;
}
