'use strict';

const assert = require('node:assert/strict');
const test = require('node:test');
const isEmpty = require('../../src/object/isEmpty.js');

test('knows empty lists, texts and objects', () => {
  assert.deepEqual([[], '', {}, null, undefined].map(isEmpty), [true, true, true, true, true]);
});

test('knows sets and maps', () => {
  assert.equal(isEmpty(new Set()), true);
  assert.equal(isEmpty(new Map([[1, 2]])), false);
});

test('does not call numbers and flags empty', () => {
  assert.deepEqual([0, false, [0], { a: 1 }].map(isEmpty), [false, false, false, false]);
});
