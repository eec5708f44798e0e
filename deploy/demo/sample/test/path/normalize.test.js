'use strict';

const assert = require('node:assert/strict');
const test = require('node:test');
const normalize = require('../../src/path/normalize.js');

test('resolves dots and double slashes', () => {
  assert.equal(normalize('a//b/./c/../d/'), 'a/b/d');
});

test('keeps leading double dots of relative paths only', () => {
  assert.equal(normalize('../a/../../b'), '../../b');
  assert.equal(normalize('/../a'), '/a');
});

test('names the folder itself', () => {
  assert.equal(normalize('a/..'), '.');
  assert.equal(normalize(''), '.');
  assert.equal(normalize('/'), '/');
});
