'use strict';

const assert = require('node:assert/strict');
const test = require('node:test');
const zip = require('../../src/array/zip.js');

test('pairs the values of lists by position', () => {
  assert.deepEqual(zip([1, 2], ['a', 'b']), [[1, 'a'], [2, 'b']]);
  assert.deepEqual(zip([1], [2], [3]), [[1, 2, 3]]);
});

test('stops at the shortest list', () => {
  assert.deepEqual(zip([1, 2, 3], ['a']), [[1, 'a']]);
  assert.deepEqual(zip([], [1]), []);
});

test('gives nothing for nothing', () => {
  assert.deepEqual(zip(), []);
});
