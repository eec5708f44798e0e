'use strict';

const assert = require('node:assert/strict');
const test = require('node:test');
const groupBy = require('../../src/array/groupBy.js');

test('groups in the order in which the keys come first', () => {
  const groups = groupBy([6.1, 4.2, 6.3], Math.floor);
  assert.deepEqual([...groups], [[6, [6.1, 6.3]], [4, [4.2]]]);
});

test('keeps keys of different types apart', () => {
  assert.equal(groupBy([1, '1'], (x) => x).size, 2);
});

test('gives the index to the key function', () => {
  assert.deepEqual(groupBy(['a', 'b', 'c'], (x, i) => i % 2).get(0), ['a', 'c']);
});
