'use strict';

const assert = require('node:assert/strict');
const test = require('node:test');
const query = require('../../src/parse/query.js');

test('reads names and values', () => {
  assert.deepEqual(query('?a=1&b=two'), { a: '1', b: 'two' });
});

test('decodes percent signs and plus', () => {
  assert.deepEqual(query('q=a+b%26c&x=1=2'), { q: 'a b&c', x: '1=2' });
});

test('takes names without a value, and nothing', () => {
  assert.deepEqual(query('flag&&b='), { flag: '', b: '' });
  assert.deepEqual(query(''), {});
});
