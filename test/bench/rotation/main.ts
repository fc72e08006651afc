import { monitorEventLoopDelay } from 'node:perf_hooks';

import { KeyMaker } from '@dr-syncer/controller';

import { orderOf, Rig, signal } from '../../rotation/rig.js';
import { atMost, median, print } from '../figure.js';

/**
 * What it takes to replace the key of one cluster with many agents, the making of keys aside, and for how long making
 * one keeps the event loop from anything else. The agents are real SSH servers, in this process too.
 */
const AGENTS = 50;
const ROTATIONS = 5;
const KEYS = 8;
const BAR_SECONDS = 10;
const BAR_BLOCKED_MS = 20;

/** The product's keys, with the time that they take. */
class TimedKeys extends KeyMaker {
  spentMs = 0;

  override async clientKey(whose: string, at: AbortSignal) {
    const began = performance.now();
    const key = await super.clientKey(whose, at);
    this.spentMs += performance.now() - began;
    return key;
  }
}

async function main(): Promise<void> {
  await blocked();
  await rotations();
}

/** Longest pause of the event loop, ms, while `work` runs. */
async function longestPause(work: () => Promise<unknown>): Promise<number> {
  const delay = monitorEventLoopDelay({ resolution: 1 });
  delay.enable();
  await work();
  delay.disable();
  return delay.max / 1e6;
}

async function blocked(): Promise<void> {
  const maker = new KeyMaker();
  await maker.clientKey('warm', signal);
  const pauses: number[] = [];
  for (let i = 0; i < KEYS; i += 1) {
    pauses.push(await longestPause(() => maker.clientKey('bench', signal)));
  }
  const name = 'event loop blocked while a 4096-bit key is made, median';
  print('rotation', [atMost(name, 'ms', BAR_BLOCKED_MS, median(pauses))]);
}

async function rotations(): Promise<void> {
  const maker = new TimedKeys();
  const rig = await Rig.start(AGENTS, maker);
  try {
    const { agents, subject } = await rig.controller();
    const seconds: number[] = [];
    for (let i = 0; i < ROTATIONS; i += 1) {
      maker.spentMs = 0;
      const began = performance.now();
      await rig.settle(subject, orderOf('rotate'));
      seconds.push((performance.now() - began - maker.spentMs) / 1000);
    }
    agents.close();
    const name = `rotation with ${AGENTS} agents without making the key, longest`;
    print('rotation', [atMost(name, 's', BAR_SECONDS, Math.max(...seconds))]);
  } finally {
    await rig.stop();
  }
}

await main();
