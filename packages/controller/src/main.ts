#!/usr/bin/env node
import { abortOnSignals, createLogger } from '@dr-syncer/runtime';
import { keepSmall } from '@dr-syncer/runtime/footprint';

import { runControllerApp } from './app.js';
import { readConfig } from './config.js';

async function main(): Promise<void> {
  // eslint-disable-next-line no-restricted-properties -- this is the composition root
  const config = readConfig(process.env);
  const logger = createLogger(config.LOG_LEVEL, { component: 'controller' });
  const { signal, dispose } = abortOnSignals();
  keepSmall(signal);
  try {
    await runControllerApp(config, logger, signal);
  } catch (err) {
    logger.error('controller ended', { err });
    process.exitCode = 1;
  } finally {
    dispose();
    await logger.close();
  }
}

main().catch((err: unknown) => {
  console.error(err instanceof Error ? err.message : err);
  process.exitCode = 1;
});
