'use strict';

const assert = require('node:assert/strict');
const test = require('node:test');
const join = require('../../src/path/join.js');

test('joins parts with slashes', () => {
  assert.equal(join('a', 'b/', '/c'), 'a/b/c');
});

test('resolves dots', () => {
  assert.equal(join('a/b', '..', './c'), 'a/c');
});

test('skips empty parts and takes none', () => {
  assert.equal(join('', 'a', ''), 'a');
  assert.equal(join(), '.');
});
