'use strict';

const assert = require('node:assert/strict');
const test = require('node:test');
const relative = require('../../src/path/relative.js');

test('goes down into a folder', () => {
  assert.equal(relative('/a', '/a/b/c'), 'b/c');
});

test('goes up and down', () => {
  assert.equal(relative('/a/b/c', '/a/x'), '../../x');
  assert.equal(relative('/a/b/../c', '/d'), '../../d');
});

test('is empty for the same place', () => {
  assert.equal(relative('/a/b', '/a/b/'), '');
});
