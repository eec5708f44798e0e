'use strict';

const assert = require('node:assert/strict');
const test = require('node:test');
const truncate = require('../../src/text/truncate.js');

test('cuts long text and marks the cut', () => {
  assert.equal(truncate('abcdef', 4), 'abc…');
  assert.equal(truncate('abcdef', 5, '...'), 'ab...');
});

test('leaves text that fits', () => {
  assert.equal(truncate('abc', 3), 'abc');
});

test('never exceeds the length, even when the ending does', () => {
  assert.equal(truncate('abcdef', 2, '...'), '..');
  assert.equal(truncate('abc', 0), '');
});
