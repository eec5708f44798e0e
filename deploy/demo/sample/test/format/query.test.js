'use strict';

const assert = require('node:assert/strict');
const test = require('node:test');
const query = require('../../src/format/query.js');
const parse = require('../../src/parse/query.js');

test('writes sorted names and values', () => {
  assert.equal(query({ b: 2, a: 'x y' }), 'a=x%20y&b=2');
});

test('repeats a name for a list and skips what is not there', () => {
  assert.equal(query({ a: [1, 2], b: null, c: undefined }), 'a=1&a=2');
});

test('is read back', () => {
  assert.deepEqual(parse(query({ q: 'a&b=c' })), { q: 'a&b=c' });
  assert.equal(query({}), '');
});
