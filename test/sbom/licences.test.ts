import { describe, expect, test } from '@jest/globals';

import { type Component, isPermissive, licenceOf, licencesOf } from './licences.js';

const component = (name: string, ...ids: string[]): Component => ({
  ...{ name, version: '1.0.0' },
  licenses: ids.map((id) => ({ license: { id } })),
});

describe('Given licences', () => {
  test.each([
    ['MIT', true],
    ['GPL-2.0', false],
    ['(BSD-3-Clause OR GPL-2.0)', true],
    ['MIT AND GPL-2.0', false],
    ['MIT AND (Apache-2.0 OR GPL-3.0)', true],
    ['none named', false],
  ])('Then %s is permissive or not', (expression, expected) => {
    expect(isPermissive(expression)).toBe(expected);
  });

  test('Then several of one package count together, and one without is named', () => {
    expect(licenceOf(component('a', 'MIT', 'ISC'))).toBe('MIT AND ISC');
    expect(licenceOf({ name: 'b', version: '1', licenses: [] })).toBeUndefined();
    const report = licencesOf([component('b', 'GPL-3.0'), component('a', 'MIT'), component('a', 'MIT')]);

    expect(report.rows.map(({ name }) => name)).toEqual(['a', 'b']);
    expect(report.questionable).toEqual(['b@1.0.0: GPL-3.0']);
  });
});
