'use strict';

const assert = require('node:assert/strict');
const test = require('node:test');
const setPath = require('../../src/object/setPath.js');

test('sets a value deep inside', () => {
  assert.deepEqual(setPath({ a: { b: 1, c: 2 } }, 'a.b', 9), { a: { b: 9, c: 2 } });
});

test('makes the objects on the way', () => {
  assert.deepEqual(setPath({}, 'a.b.c', 1), { a: { b: { c: 1 } } });
});

test('does not change its input, and shares what stays', () => {
  const source = { a: { b: 1 }, x: {} };
  const result = setPath(source, 'a.b', 2);
  assert.equal(source.a.b, 1);
  assert.equal(result.x, source.x);
});
