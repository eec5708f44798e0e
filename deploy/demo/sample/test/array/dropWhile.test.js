'use strict';

const assert = require('node:assert/strict');
const test = require('node:test');
const dropWhile = require('../../src/array/dropWhile.js');

test('drops values until one is refused', () => {
  assert.deepEqual(dropWhile([1, 2, 5, 1], (n) => n < 3), [5, 1]);
});

test('may drop all or nothing', () => {
  assert.deepEqual(dropWhile([1, 2], () => true), []);
  assert.deepEqual(dropWhile([1, 2], () => false), [1, 2]);
});

test('does not ask after the first refusal', () => {
  let asked = 0;
  dropWhile([9, 9, 9], () => { asked += 1; return false; });
  assert.equal(asked, 1);
});
