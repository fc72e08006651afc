import { monitorEventLoopDelay } from 'node:perf_hooks';
import { setTimeout as sleep } from 'node:timers/promises';

import { KeyMaker } from '@dr-syncer/controller';

import { orderOf, Rig, signal } from '../../rotation/rig.js';

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
  const idle: number[] = [];
  for (let i = 0; i < KEYS; i += 1) {
    const began = performance.now();
    pauses.push(await longestPause(() => maker.clientKey('bench', signal)));
    const tookMs = performance.now() - began;
    idle.push(await longestPause(() => sleep(tookMs)));
  }
  figure(
    'event loop blocked while a 4096-bit key is made, median',
    median(pauses),
    median(idle),
    'ms',
    BAR_BLOCKED_MS,
  );
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
    figure(
      `rotation with ${AGENTS} agents without making the key, longest`,
      Math.max(...seconds),
      null,
      's',
      BAR_SECONDS,
    );
  } finally {
    await rig.stop();
  }
}

function median(values: readonly number[]): number {
  return [...values].sort((a, b) => a - b)[values.length >> 1] ?? Number.NaN;
}

/** `peer`: the same loop with nothing to do, where there is one. */
function figure(name: string, value: number, idle: number | null, unit: string, bar: number): void {
  const round = (one: number) => Math.round(one * 100) / 100;
  const [ours, peer] = [round(value), idle === null ? null : round(idle)];
  const ok = ours < bar;
  const ratio = peer === null ? null : round(ours / peer);
  process.stdout.write(`${JSON.stringify({ bench: 'rotation', name, ours, peer, unit, ratio, bar, ok })}\n`);
  if (!ok) process.exitCode = 1;
}

await main();
