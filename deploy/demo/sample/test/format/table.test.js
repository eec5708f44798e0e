'use strict';

const assert = require('node:assert/strict');
const test = require('node:test');
const table = require('../../src/format/table.js');

test('aligns columns', () => {
  assert.equal(table([['name', 'n'], ['a', 10]]), 'name  n\na     10');
});

test('leaves no spaces at the ends of lines', () => {
  assert.equal(table([['a', ''], ['bbb', 'c']]), 'a\nbbb  c');
});

test('takes rows of different lengths, and none', () => {
  assert.equal(table([['a'], ['b', 'c']]), 'a\nb  c');
  assert.equal(table([]), '');
});
