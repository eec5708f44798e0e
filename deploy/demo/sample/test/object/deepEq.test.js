'use strict';

const assert = require('node:assert/strict');
const test = require('node:test');
const deepEq = require('../../src/object/deepEq.js');

test('compares by value', () => {
  assert.equal(deepEq({ a: [1, { b: 2 }] }, { a: [1, { b: 2 }] }), true);
  assert.equal(deepEq({ a: 1, b: 2 }, { b: 2, a: 1 }), true);
});

test('sees differences', () => {
  assert.equal(deepEq({ a: 1 }, { a: 1, b: undefined }), false);
  assert.equal(deepEq([1], { 0: 1 }), false);
  assert.equal(deepEq({ a: undefined }, { b: undefined }), false);
});

test('takes null and NaN', () => {
  assert.equal(deepEq(null, {}), false);
  assert.equal(deepEq([NaN], [NaN]), true);
});
