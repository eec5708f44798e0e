'use strict';

const assert = require('node:assert/strict');
const test = require('node:test');
const invert = require('../../src/object/invert.js');

test('swaps names and values', () => {
  assert.deepEqual(invert({ a: 'x', b: 'y' }), { x: 'a', y: 'b' });
});

test('turns values into text', () => {
  assert.deepEqual(invert({ one: 1, yes: true }), { 1: 'one', true: 'yes' });
});

test('lets the last of equal values win', () => {
  assert.deepEqual(invert({ a: 1, b: 1 }), { 1: 'b' });
});
