'use strict';

const assert = require('node:assert/strict');
const test = require('node:test');
const distance = require('../../src/text/distance.js');

test('counts insertions, deletions and replacements', () => {
  assert.equal(distance('kitten', 'sitting'), 3);
  assert.equal(distance('flaw', 'lawn'), 2);
});

test('is zero for equal texts', () => {
  assert.equal(distance('same', 'same'), 0);
});

test('is the length against empty text', () => {
  assert.equal(distance('', 'abc'), 3);
  assert.equal(distance('abc', ''), 3);
});
