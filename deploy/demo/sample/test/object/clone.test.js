'use strict';

const assert = require('node:assert/strict');
const test = require('node:test');
const clone = require('../../src/object/clone.js');

test('copies all levels', () => {
  const source = { a: [{ b: 1 }], when: new Date(5) };
  const copy = clone(source);
  assert.deepEqual(copy, source);
  assert.notEqual(copy.a[0], source.a[0]);
  assert.notEqual(copy.when, source.when);
});

test('keeps a circle a circle', () => {
  const source = { name: 'x' };
  source.self = source;
  const copy = clone(source);
  assert.equal(copy.self, copy);
});

test('gives plain values as they are', () => {
  assert.deepEqual([1, null, 'x', undefined].map((value) => clone(value)), [1, null, 'x', undefined]);
});
