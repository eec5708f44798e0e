'use strict';

const assert = require('node:assert/strict');
const test = require('node:test');
const omit = require('../../src/object/omit.js');

test('leaves the named properties out', () => {
  assert.deepEqual(omit({ a: 1, b: 2, c: 3 }, ['b']), { a: 1, c: 3 });
});

test('does not change its input', () => {
  const source = { a: 1 };
  assert.deepEqual(omit(source, ['a']), {});
  assert.deepEqual(source, { a: 1 });
});

test('ignores names that are not there', () => {
  assert.deepEqual(omit({ a: 1 }, ['x']), { a: 1 });
});
