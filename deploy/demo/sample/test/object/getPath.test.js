'use strict';

const assert = require('node:assert/strict');
const test = require('node:test');
const getPath = require('../../src/object/getPath.js');

const source = { a: { list: [{ b: 1 }], nothing: null } };

test('follows a path of names and indexes', () => {
  assert.equal(getPath(source, 'a.list.0.b'), 1);
  assert.equal(getPath(source, ['a', 'list', 0, 'b']), 1);
});

test('gives the fallback where the path ends early', () => {
  assert.equal(getPath(source, 'a.x.y', 'none'), 'none');
  assert.equal(getPath(source, 'a.nothing.b', 'none'), 'none');
});

test('gives null as it is', () => {
  assert.equal(getPath(source, 'a.nothing', 'none'), null);
});
