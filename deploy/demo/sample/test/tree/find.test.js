'use strict';

const assert = require('node:assert/strict');
const test = require('node:test');
const find = require('../../src/tree/find.js');

const tree = { id: 1, children: [{ id: 2, children: [{ id: 4, leaf: true }] }, { id: 3, leaf: true }] };

test('finds the node nearest to the root', () => {
  assert.equal(find(tree, (node) => node.leaf).id, 3);
});

test('finds the root itself', () => {
  assert.equal(find(tree, () => true), tree);
});

test('gives undefined when there is none', () => {
  assert.equal(find(tree, (node) => node.id === 9), undefined);
});
