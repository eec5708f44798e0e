'use strict';

const assert = require('node:assert/strict');
const test = require('node:test');
const pick = require('../../src/object/pick.js');

test('takes the named properties', () => {
  assert.deepEqual(pick({ a: 1, b: 2, c: 3 }, ['a', 'c']), { a: 1, c: 3 });
});

test('ignores names that are not there, and inherited ones', () => {
  assert.deepEqual(pick({ a: 1 }, ['b', 'toString']), {});
});

test('keeps properties that are undefined', () => {
  assert.deepEqual(Object.keys(pick({ a: undefined }, ['a'])), ['a']);
});
