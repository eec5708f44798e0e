'use strict';

const assert = require('node:assert/strict');
const test = require('node:test');
const list = require('../../src/format/list.js');

test('joins with commas and a word', () => {
  assert.equal(list(['a', 'b', 'c']), 'a, b, and c');
});

test('needs no comma for two', () => {
  assert.equal(list(['a', 'b'], 'or'), 'a or b');
});

test('takes one and none', () => {
  assert.equal(list(['a']), 'a');
  assert.equal(list([]), '');
});
