'use strict';

const assert = require('node:assert/strict');
const test = require('node:test');
const mapTree = require('../../src/tree/mapTree.js');

const tree = { n: 1, children: [{ n: 2 }, { n: 3, children: [] }] };

test('changes every node and keeps the shape', () => {
  assert.deepEqual(mapTree(tree, (node) => ({ n: node.n * 10 })), {
    n: 10,
    children: [{ n: 20 }, { n: 30, children: [] }],
  });
});

test('does not change its input', () => {
  mapTree(tree, (node) => ({ n: node.n + 1 }));
  assert.equal(tree.children[0].n, 2);
});

test('takes a single node', () => {
  assert.deepEqual(mapTree({ n: 1 }, (node) => node), { n: 1 });
});
