'use strict';

const assert = require('node:assert/strict');
const test = require('node:test');
const leaves = require('../../src/tree/leaves.js');

test('gives the nodes without children, from left to right', () => {
  const tree = { v: 1, children: [{ v: 2, children: [{ v: 3 }] }, { v: 4, children: [] }] };
  assert.deepEqual(leaves(tree).map((node) => node.v), [3, 4]);
});

test('gives the root when it is alone', () => {
  const root = { v: 1 };
  assert.deepEqual(leaves(root), [root]);
});

test('gives the nodes themselves', () => {
  const leaf = { v: 2 };
  assert.equal(leaves({ children: [leaf] })[0], leaf);
});
