'use strict';

const assert = require('node:assert/strict');
const test = require('node:test');
const unzip = require('../../src/array/unzip.js');
const zip = require('../../src/array/zip.js');

test('turns rows into columns', () => {
  assert.deepEqual(unzip([[1, 'a'], [2, 'b']]), [[1, 2], ['a', 'b']]);
});

test('is the inverse of zip', () => {
  assert.deepEqual(unzip(zip([1, 2], [3, 4])), [[1, 2], [3, 4]]);
});

test('fills short rows with undefined and takes none', () => {
  assert.deepEqual(unzip([[1], [2, 3]]), [[1, 2], [undefined, 3]]);
  assert.deepEqual(unzip([]), []);
});
