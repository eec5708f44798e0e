'use strict';

const assert = require('node:assert/strict');
const test = require('node:test');
const wrap = require('../../src/text/wrap.js');

test('breaks lines between words', () => {
  assert.equal(wrap('the quick brown fox', 10), 'the quick\nbrown fox');
});

test('does not break a word that is too long', () => {
  assert.equal(wrap('a extraordinarily b', 5), 'a\nextraordinarily\nb');
});

test('joins white space and takes empty text', () => {
  assert.equal(wrap('a \n\t b', 10), 'a b');
  assert.equal(wrap('', 10), '');
});
