'use strict';

const assert = require('node:assert/strict');
const test = require('node:test');
const basename = require('../../src/path/basename.js');

test('gives the last part of a path', () => {
  assert.equal(basename('a/b/c.js'), 'c.js');
  assert.equal(basename('a/b/'), 'b');
});

test('drops an ending', () => {
  assert.equal(basename('a/c.test.js', '.test.js'), 'c');
  assert.equal(basename('a/c.js', '.ts'), 'c.js');
});

test('does not drop the whole name', () => {
  assert.equal(basename('a/.js', '.js'), '.js');
  assert.equal(basename('/'), '');
});
