'use strict';

const assert = require('node:assert/strict');
const test = require('node:test');
const difference = require('../../src/set/difference.js');

test('has what is in the first set only', () => {
  assert.deepEqual([...difference(new Set([1, 2, 3]), new Set([2]))], [1, 3]);
});

test('takes a list to exclude', () => {
  assert.deepEqual([...difference(new Set(['a', 'b']), ['a', 'z'])], ['b']);
});

test('changes neither set', () => {
  const left = new Set([1]);
  assert.equal(difference(left, new Set([1])).size, 0);
  assert.equal(left.size, 1);
});
