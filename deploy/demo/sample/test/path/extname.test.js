'use strict';

const assert = require('node:assert/strict');
const test = require('node:test');
const extname = require('../../src/path/extname.js');

test('gives the ending with its dot', () => {
  assert.equal(extname('a/b.c/d.tar.gz'), '.gz');
});

test('finds none in hidden files and plain names', () => {
  assert.equal(extname('.profile'), '');
  assert.equal(extname('a.b/make'), '');
});

test('takes a dot at the end', () => {
  assert.equal(extname('a.'), '.');
});
