'use strict';

const assert = require('node:assert/strict');
const test = require('node:test');
const between = require('../../src/text/between.js');

test('finds every text between two marks', () => {
  assert.deepEqual(between('a [b] c [d]', '[', ']'), ['b', 'd']);
});

test('takes equal and longer marks', () => {
  assert.deepEqual(between('"x" and "y"', '"', '"'), ['x', 'y']);
  assert.deepEqual(between('{{a}}{{}}', '{{', '}}'), ['a', '']);
});

test('ignores a mark that is never closed', () => {
  assert.deepEqual(between('a [b', '[', ']'), []);
});
