'use strict';

const assert = require('node:assert/strict');
const test = require('node:test');
const partition = require('../../src/array/partition.js');

test('splits a list by a predicate and keeps the order', () => {
  assert.deepEqual(partition([1, 2, 3, 4], (n) => n % 2 === 0), [[2, 4], [1, 3]]);
});

test('takes any truthy answer', () => {
  assert.deepEqual(partition(['', 'x'], (s) => s), [['x'], ['']]);
});

test('gives two empty lists for none', () => {
  assert.deepEqual(partition([], () => true), [[], []]);
});
