'use strict';

const assert = require('node:assert/strict');
const test = require('node:test');
const product = require('../../src/set/product.js');

test('combines every value with every other', () => {
  assert.deepEqual(product([[1, 2], ['a', 'b']]), [[1, 'a'], [1, 'b'], [2, 'a'], [2, 'b']]);
});

test('has as many rows as the sizes multiply to', () => {
  assert.equal(product([[1, 2], [1, 2, 3], [1, 2]]).length, 12);
});

test('is empty when one list is, and one empty row for no lists', () => {
  assert.deepEqual(product([[1], []]), []);
  assert.deepEqual(product([]), [[]]);
});
