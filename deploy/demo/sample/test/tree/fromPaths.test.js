'use strict';

const assert = require('node:assert/strict');
const test = require('node:test');
const fromPaths = require('../../src/tree/fromPaths.js');

test('makes folders of paths', () => {
  assert.deepEqual(fromPaths(['a/b', 'a/c', 'd']), {
    name: '',
    children: [{ name: 'a', children: [{ name: 'b' }, { name: 'c' }] }, { name: 'd' }],
  });
});

test('adds a path once', () => {
  assert.equal(fromPaths(['a', 'a', '/a/']).children.length, 1);
});

test('gives a root without children for none', () => {
  assert.deepEqual(fromPaths([]), { name: '', children: [] });
});
