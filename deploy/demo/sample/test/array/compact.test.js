'use strict';

const assert = require('node:assert/strict');
const test = require('node:test');
const compact = require('../../src/array/compact.js');

test('drops null, undefined, NaN and empty text', () => {
  assert.deepEqual(compact([1, null, 'a', undefined, '', NaN]), [1, 'a']);
});

test('keeps zero and false, which are values', () => {
  assert.deepEqual(compact([0, false, null]), [0, false]);
});

test('leaves the input alone', () => {
  const input = [null, 1];
  assert.notEqual(compact(input), input);
  assert.deepEqual(input, [null, 1]);
});
