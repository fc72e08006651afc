import { describe, expect, test } from '@jest/globals';

import { parseOverride } from './direct.js';

describe('Given an override of a node address', () => {
  test.each([
    ['10.0.0.1', { host: '10.0.0.1', port: 2222 }],
    ['10.0.0.1:30022', { host: '10.0.0.1', port: 30_022 }],
    ['gateway.example', { host: 'gateway.example', port: 2222 }],
    ['gateway.example:22', { host: 'gateway.example', port: 22 }],
    ['fd00::1', { host: 'fd00::1', port: 2222 }],
    ['[fd00::1]', { host: 'fd00::1', port: 2222 }],
    ['[fd00::1]:22', { host: 'fd00::1', port: 22 }],
  ])('When it is %s Then it is understood', (text, expected) => {
    expect(parseOverride(text, 2222)).toEqual(expected);
  });
});
