import { randomInt } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';

import { type RotationSubject, type Transition, transitions } from '@dr-syncer/controller';
import { type KubeObject, wellKnown } from '@dr-syncer/kube';
import { connectControl, parsePrivateKey, type PrivateKey } from '@dr-syncer/ssh';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';

import { Crash, crashingAt, moments } from './crash.js';
import { at, type Controller, orderOf, Rig, signal, SmallKeys } from './rig.js';

interface Secret extends KubeObject {
  data: Record<string, string>;
}

const AGENTS = 2;

describe('Given the agents of a cluster, with an API server and kubelets', () => {
  let rig: Rig;
  let controller: Controller;

  beforeAll(async () => {
    rig = await Rig.start(AGENTS, new SmallKeys());
  }, 240_000);

  afterAll(() => rig.stop());

  beforeEach(async () => {
    controller = await rig.controller();
  });

  afterEach(() => controller.agents.close());

  const keySecret = () => rig.client.get<Secret>({ resource: wellKnown.secrets, ...at }, { signal });
  const keyIn = (secret: Secret, name = 'id_rsa'): PrivateKey =>
    parsePrivateKey(Buffer.from(secret.data[name] ?? '', 'base64').toString());
  const pins = () => controller.agents.hostKeys;

  const login = async (node: string, privateKey: PrivateKey, hostKeys = pins()): Promise<void> => {
    const [host = '', port] = (rig.simulated.addresses[node] ?? '').split(':');
    const connection = await connectControl({ host, port: Number(port), privateKey, hostKeys });
    connection.close();
  };
  const each = (work: (node: string) => Promise<void>) =>
    Promise.all(Object.keys(rig.simulated.addresses).map(work));

  const expectRefused = (key: PrivateKey) =>
    each((node) => expect(login(node, key)).rejects.toMatchObject({ code: 'AgentRefusedKey' }));

  /** One controller that is killed, and another that goes on. */
  const restartAfter = async (work: (crashing: Controller) => Promise<unknown>): Promise<void> => {
    await expect(work(controller)).rejects.toBeInstanceOf(Crash);
    controller.agents.close();
    controller = await rig.controller();
  };

  const asks = (transition: Transition) =>
    ['revoke', 'contain', 'clear'].includes(transition) ? 'revoke' : 'rotate';

  test.each(transitions.flatMap((transition) => moments.map((moment) => [transition, moment] as const)))(
    'When the controller is killed at "%s" %s Then the next one brings the key to where it should be',
    async (transition, moment) => {
      const before = keyIn(await keySecret());
      const order = orderOf(asks(transition));
      await restartAfter(async ({ subject }) => rig.settle(crashingAt(subject, transition, moment), order));

      await rig.settle(controller.subject, order);

      const secret = await keySecret();
      const after = keyIn(secret);
      expect(after.fingerprint).not.toBe(before.fingerprint);
      expect(Object.keys(secret.data).sort()).toEqual(['id_rsa', 'id_rsa.pub', 'rotation']);
      expect(order.annotated).toBe('none');
      await each((node) => login(node, after));
      await expectRefused(before);
    },
    60_000,
  );

  const hostTransitions = transitions.filter((one) => asks(one) === 'rotate');

  test.each(hostTransitions.flatMap((transition) => moments.map((moment) => [transition, moment] as const)))(
    'When the controller is killed at "%s" of the host keys %s Then the next one finishes, and agents were reachable all along',
    async (transition, moment) => {
      await controller.agents.publishKeys(signal);
      const before = pins();
      const order = orderOf('rotate');
      await restartAfter(({ agents }) =>
        rig.settle(crashingAt(agents.hostKeySubject, transition, moment), order),
      );
      await controller.agents.publishKeys(signal);
      await each(async (node) => {
        await (await controller.agents.peer(node, signal)).request('keys.check', { fingerprints: [] });
      });

      await rig.settle(controller.agents.hostKeySubject, order);

      const key = keyIn(await keySecret());
      expect(pins()).toHaveLength(2);
      expect(pins().filter((line) => before.includes(line))).toEqual([]);
      for (const line of pins()) await each((node) => login(node, key, [line]));
      await each((node) =>
        expect(login(node, key, before)).rejects.toMatchObject({ code: 'HostKeyMismatch' }),
      );
    },
    60_000,
  );

  test('When the key is rotated twice Then whoever logs in with the key of the Secret is never refused', async () => {
    const stop = new AbortController();
    let logins = 0;
    const failures: unknown[] = [];
    const nodes = Object.keys(rig.simulated.addresses);
    const once = async () => {
      const key = keyIn(await keySecret());
      try {
        await login(nodes[randomInt(nodes.length)] ?? '', key);
        logins += 1;
      } catch (err) {
        failures.push(err);
      }
    };
    const load = every(50, once, stop.signal);
    const before = keyIn(await keySecret());
    for (let i = 0; i < 2; i += 1) await rig.settle(controller.subject, orderOf('rotate', 2_000));
    stop.abort();
    await load;

    expect(failures).toEqual([]);
    expect(logins).toBeGreaterThan(40);
    await expectRefused(before);
  }, 60_000);

  test('When two controllers rotate at the same time Then one key comes of it', async () => {
    const other = await rig.controller();
    const order = orderOf('rotate');
    const conflicts = { status: 409 };
    const settle = async ({ subject }: Controller) => {
      for (;;) {
        try {
          return await rig.settle(subject, order);
        } catch (err) {
          expect(err).toMatchObject(conflicts);
        }
      }
    };
    const [one, two] = await Promise.all([settle(controller), settle(other)]);
    other.agents.close();

    expect(one.record.current).toBe(two.record.current);
    expect(keyIn(await keySecret()).fingerprint).toBe(one.record.current);
    await each(async (node) => login(node, keyIn(await keySecret())));
  }, 60_000);

  test('When another controller serves the annotation meanwhile Then it is not served twice', async () => {
    const other = await rig.controller();
    const order = orderOf('rotate', 1_000);
    let served: string | undefined;
    const { subject } = controller;
    const overtaken: RotationSubject<Awaited<ReturnType<typeof subject.load>>> = {
      nodes: (until) => subject.nodes(until),
      ask: (...args) => subject.ask(...args),
      advance: (...args) => subject.advance(...args),
      publish: (...args) => subject.publish(...args),
      load: async (until) => {
        const keys = await subject.load(until);
        // It waits for the overlap to pass.
        if (keys.record.phase !== 'Switched' || served !== undefined) return keys;
        served = (await rig.settle(other.subject, order)).record.current;
        return subject.load(until);
      },
    };

    const { record } = await rig.settle(overtaken, order);
    other.agents.close();

    expect(served).toBeDefined();
    expect(record.current).toBe(served);
  }, 60_000);

  test('When the Secret is deleted in the middle Then a new key takes its place and the lost ones are refused', async () => {
    const before = keyIn(await keySecret());
    const order = orderOf('none');
    await restartAfter(({ subject }) =>
      rig.settle(crashingAt(subject, 'switch', 'once agents are told'), orderOf('rotate')),
    );
    await rig.client.delete({ resource: wellKnown.secrets, ...at }, { signal });

    const keys = await rig.settle(controller.subject, order);
    await controller.subject.publish(keys, signal);

    const after = keyIn(await keySecret());
    expect(after.fingerprint).not.toBe(before.fingerprint);
    await untilEach(login, after);
    await expectRefused(before);
  }, 60_000);

  test('When an agent restarts in the middle Then the rotation goes on', async () => {
    const agent = rig.simulated.agent(0);
    const order = orderOf('rotate');
    const settled = rig.settle(controller.subject, order);
    await agent.stop();
    await sleep(500);
    await rig.simulated.bring(agent);
    await rig.simulated.run(agent);
    await settled;

    await each(async (node) => login(node, keyIn(await keySecret())));
  }, 60_000);

  test('When a node is away past the deadline Then the rest goes on without it, and it has the right keys when it is back', async () => {
    const agent = rig.simulated.agent(1);
    const before = keyIn(await keySecret());
    await agent.stop();
    const order = orderOf('rotate');
    await rig.settle(controller.subject, { ...order, policy: { ...order.policy, nodeDeadlineMs: 1_000 } });

    expect(rig.news.at(-1)).toMatchObject({ type: 'Warning', reason: 'KeyRotated' });
    expect(rig.news.at(-1)?.message).toContain(agent.node);
    await rig.simulated.bring(agent);
    await rig.simulated.run(agent);
    await each(async (node) => login(node, keyIn(await keySecret())));
    await expectRefused(before);
  }, 60_000);

  test('When a key is revoked while a node is away Then the others refuse it at once, and the node is named until it does', async () => {
    const agent = rig.simulated.agent(1);
    const before = keyIn(await keySecret());
    await agent.stop();
    const order = orderOf('revoke');
    const started = performance.now();
    const settled = rig.settle(controller.subject, order);
    await untilRefused(rig.simulated.agent(0).node, before);
    const tookMs = performance.now() - started;

    await untilTrue(() => order.annotated === 'none');
    await untilTrue(() => rig.news.at(-1)?.reason === 'KeyRevocationUnconfirmed');
    expect(rig.news.at(-1)?.message).toContain(agent.node);
    expect((await keySecret()).data).toHaveProperty(['id_rsa.revoked-1']);
    await rig.simulated.bring(agent);
    await rig.simulated.run(agent);
    await settled;
    expect((await keySecret()).data).not.toHaveProperty(['id_rsa.revoked-1']);
    await each(async (node) => login(node, keyIn(await keySecret())));
    await expectRefused(before);
    expect(tookMs).toBeLessThan(20_000);
  }, 60_000);

  async function untilEach(
    work: (node: string, key: PrivateKey) => Promise<void>,
    key: PrivateKey,
  ): Promise<void> {
    await each(async (node) => {
      for (let tries = 0; ; tries += 1) {
        try {
          await work(node, key);
          return;
        } catch (err) {
          if (tries === 50) throw err;
          await sleep(100);
        }
      }
    });
  }

  async function untilRefused(node: string, key: PrivateKey): Promise<void> {
    await untilTrue(async () => {
      try {
        await login(node, key);
        return false;
      } catch {
        return true;
      }
    });
  }
});

async function untilTrue(look: () => boolean | Promise<boolean>): Promise<void> {
  for (let tries = 0; tries < 600; tries += 1) {
    if (await look()) return;
    await sleep(50);
  }
  throw new Error('not within 30 s');
}

/** Begins one every so often, whatever becomes of those before; resolves when all have ended after the stop. */
async function every(ms: number, once: () => Promise<void>, stop: AbortSignal): Promise<void> {
  const all: Promise<void>[] = [];
  while (!stop.aborted) {
    all.push(once());
    await sleep(ms, undefined, { signal: stop }).catch(() => undefined);
  }
  await Promise.all(all);
}
