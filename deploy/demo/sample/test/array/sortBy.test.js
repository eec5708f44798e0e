'use strict';

const assert = require('node:assert/strict');
const test = require('node:test');
const sortBy = require('../../src/array/sortBy.js');

test('sorts by a key without touching the input', () => {
  const words = ['pear', 'fig', 'banana'];
  assert.deepEqual(sortBy(words, (w) => w.length), ['fig', 'pear', 'banana']);
  assert.deepEqual(words, ['pear', 'fig', 'banana']);
});

test('is stable', () => {
  assert.deepEqual(sortBy(['b1', 'a2', 'a1'], (w) => w[0]), ['a2', 'a1', 'b1']);
});

test('asks for each key once', () => {
  let asked = 0;
  sortBy([3, 1, 2], (n) => { asked += 1; return n; });
  assert.equal(asked, 3);
});
