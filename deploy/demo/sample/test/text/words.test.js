'use strict';

const assert = require('node:assert/strict');
const test = require('node:test');
const words = require('../../src/text/words.js');

test('splits at everything that is no letter or digit', () => {
  assert.deepEqual(words('one two,three_4'), ['one', 'two', 'three', '4']);
});

test('splits camel case and keeps abbreviations whole', () => {
  assert.deepEqual(words('parseHTTPHeader'), ['parse', 'HTTP', 'Header']);
});

test('finds none in blank text', () => {
  assert.deepEqual(words('  '), []);
  assert.deepEqual(words(''), []);
});
