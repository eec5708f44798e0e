'use strict';

const assert = require('node:assert/strict');
const test = require('node:test');
const indent = require('../../src/text/indent.js');

test('indents each line', () => {
  assert.equal(indent('a\nb', 2), '  a\n  b');
});

test('leaves empty lines empty', () => {
  assert.equal(indent('a\n\nb\n', 1), ' a\n\n b\n');
});

test('takes another unit, and none', () => {
  assert.equal(indent('a', 2, '\t'), '\t\ta');
  assert.equal(indent('a', 0), 'a');
});
