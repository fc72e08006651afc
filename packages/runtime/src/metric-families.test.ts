import { describe, expect, test } from '@jest/globals';
import { Counter, Gauge, Histogram, Registry } from 'prom-client';

import { metricFamilies, renderFamilies } from './metric-families.js';

describe('Given a registry with a counter, a gauge and a histogram', () => {
  const registry = new Registry();
  const registers = [registry];
  new Counter({ name: 'x_total', help: 'of x', labelNames: ['why'], registers }).inc({ why: 'a "b"\n\\' }, 2);
  new Gauge({ name: 'x_open', help: 'open\nnow', registers }).set(3);
  new Gauge({ name: 'y_open', help: 'other', registers }).set(1);
  new Histogram({ name: 'x_seconds', help: 'time', buckets: [1], registers }).observe(0.5);

  test('when taken as families and rendered, it reads as the registry itself writes it', async () => {
    const families = await metricFamilies(registry, 'x_');
    const wanted = (await registry.metrics()).split('\n\n').filter((block) => block.includes(' x_'));

    expect(JSON.parse(JSON.stringify(families))).toEqual(families);
    expect(renderFamilies(families).trim().split('\n\n')).toEqual(wanted.map((block) => block.trim()));
  });

  test('when two processes have the same family, it is written once with the samples of both', async () => {
    const families = await metricFamilies(registry, 'x_open');
    const of = (node: string) =>
      families.map((family) => ({
        ...family,
        samples: family.samples.map((sample) => ({ ...sample, labels: { node } })),
      }));

    expect(renderFamilies([...of('a'), ...of('b')])).toBe(
      '# HELP x_open open\\nnow\n# TYPE x_open gauge\nx_open{node="a"} 3\nx_open{node="b"} 3\n',
    );
  });

  test('when a value is not finite, it is left out, for JSON could not carry it', async () => {
    const own = new Registry();
    new Gauge({ name: 'z', help: 'z', registers: [own] }).set(Number.NaN);

    expect(await metricFamilies(own, 'z')).toMatchObject([{ name: 'z', samples: [] }]);
  });
});
