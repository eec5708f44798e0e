'use strict';

const assert = require('node:assert/strict');
const test = require('node:test');
const build = require('../../src/tree/build.js');

test('makes trees of rows with a parent', () => {
  const [root] = build([{ id: 1 }, { id: 2, parent: 1 }, { id: 3, parent: 2 }]);
  assert.equal(root.children[0].children[0].id, 3);
});

test('takes children before their parents', () => {
  const roots = build([{ id: 2, parent: 1 }, { id: 1 }]);
  assert.deepEqual(roots.map((node) => node.id), [1]);
});

test('makes rows with an unknown parent roots, and leaves the rows alone', () => {
  const row = { id: 5, parent: 99 };
  assert.equal(build([row]).length, 1);
  assert.deepEqual(row, { id: 5, parent: 99 });
});
