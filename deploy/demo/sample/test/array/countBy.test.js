'use strict';

const assert = require('node:assert/strict');
const test = require('node:test');
const countBy = require('../../src/array/countBy.js');

test('counts the values of each key', () => {
  assert.deepEqual(countBy(['apple', 'avocado', 'kiwi'], (s) => s[0]), { a: 2, k: 1 });
});

test('turns keys into text', () => {
  assert.deepEqual(countBy([1, 2, 3], (n) => n > 1), { false: 1, true: 2 });
});

test('counts nothing in an empty list', () => {
  assert.deepEqual(countBy([], String), {});
});
