'use strict';

const assert = require('node:assert/strict');
const test = require('node:test');
const commonHead = require('../../src/text/commonHead.js');

test('gives the longest common beginning', () => {
  assert.equal(commonHead(['interview', 'internet', 'interval']), 'inter');
});

test('may be empty or the whole text', () => {
  assert.equal(commonHead(['a', 'b']), '');
  assert.equal(commonHead(['same', 'same']), 'same');
});

test('takes one text and none', () => {
  assert.equal(commonHead(['one']), 'one');
  assert.equal(commonHead([]), '');
});
