import { existsSync } from 'node:fs';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { parse } from 'yaml';

import { overlay, runCheck } from './check.js';

const node = process.execPath;
const never = new AbortController().signal;

describe('Given a check of a drill', () => {
  let dir: string;
  let said: string;

  beforeAll(async () => {
    dir = await mkdtemp(join(tmpdir(), 'check-'));
  });
  afterAll(() => rm(dir, { recursive: true, force: true }));

  const check = (script: string, timeoutMs = 20_000, signal = never) => {
    said = '';
    return runCheck(
      {
        ...{ command: [node, '-e', script], namespace: 'shop-drill-a1b2', timeoutMs },
        kubeconfig: { files: ['/home/me/config'], cluster: 'c', user: 'u' },
        env: { PATH: '/usr/bin', TMPDIR: dir },
        say: (text) => (said += text),
      },
      signal,
    );
  };

  test.each([0, 7])('When it ends with %d Then so it is told', async (code) => {
    expect(await check(`process.exit(${code})`)).toEqual({ exitCode: code, timedOut: false });
  });

  test('When it looks around Then it finds the namespace, and a context for kubectl before the files of the person', async () => {
    await check(
      `const [own, ...more] = process.env.KUBECONFIG.split(':');
       process.stdout.write(JSON.stringify([process.env.DR_SYNCER_NAMESPACE, more, require('fs').readFileSync(own, 'utf8')]))`,
    );
    const [namespace, files, text] = JSON.parse(said) as [string, string[], string];
    expect({ namespace, files }).toEqual({ namespace: 'shop-drill-a1b2', files: ['/home/me/config'] });
    expect(parse(text)).toMatchObject({
      'current-context': 'dr-syncer-drill',
      contexts: [{ context: { cluster: 'c', user: 'u', namespace: 'shop-drill-a1b2' } }],
    });
  });

  test('When it says more than a line Then all of it arrives', async () => {
    await check(`process.stdout.write('x'.repeat(300000)); process.stderr.write('y')`);
    expect(said.replaceAll('y', '')).toBe('x'.repeat(300_000));
    expect(said).toContain('y');
  });

  test('When it hangs Then it is ended with all that it has started', async () => {
    const mark = join(dir, 'alive');
    const child = `setInterval(() => require('fs').writeFileSync(${JSON.stringify(mark)}, String(Date.now())), 50)`;
    const script = `require('child_process').spawn(${JSON.stringify(node)}, ['-e', ${JSON.stringify(child)}], { stdio: 'inherit' }); setInterval(() => {}, 1000)`;
    expect(await check(script, 1_500)).toEqual({ exitCode: 128, timedOut: true });
    await writeFile(mark, 'ended');
    await new Promise((resolve) => setTimeout(resolve, 500));
    expect(await readFile(mark, 'utf8')).toBe('ended');
  });

  test('When the person has had enough Then it ends', async () => {
    const stop = new AbortController();
    setTimeout(() => stop.abort(), 300);
    expect(await check('setInterval(() => {}, 1000)', 20_000, stop.signal)).toMatchObject({ exitCode: 128 });
  });

  test('When it is no program Then that is said', async () => {
    const options = {
      ...{ command: ['/no/such/program'] as [string], namespace: 'd', timeoutMs: 1_000, env: {} },
      ...{ kubeconfig: { files: [], cluster: 'c', user: 'u' }, say: () => undefined },
    };
    await expect(runCheck(options, never)).rejects.toThrow('the check could not be run');
  });

  test('Then nothing stays behind, and what was there holds no credentials', async () => {
    await check(`process.stdout.write(process.env.KUBECONFIG.split(':')[0])`);
    expect({ path: said, left: existsSync(said) }).toEqual({
      path: expect.stringMatching(/dr-syncer-drill-.*context$/) as unknown,
      left: false,
    });
    expect(Object.keys(parse(overlay('n', { files: [], cluster: 'c', user: 'u' })) as object)).not.toContain(
      'users',
    );
  });
});
