'use strict';

const assert = require('node:assert/strict');
const test = require('node:test');
const walk = require('../../src/tree/walk.js');

const tree = { name: 'a', children: [{ name: 'b', children: [{ name: 'c' }] }, { name: 'd' }] };

test('visits parents before children', () => {
  const seen = [];
  walk(tree, (node, depth) => { seen.push(node.name + depth); });
  assert.deepEqual(seen, ['a0', 'b1', 'c2', 'd1']);
});

test('does not go below a node that answers false', () => {
  const seen = [];
  walk(tree, (node) => { seen.push(node.name); return node.name !== 'b'; });
  assert.deepEqual(seen, ['a', 'b', 'd']);
});

test('takes a single node', () => {
  let count = 0;
  walk({ name: 'x' }, () => { count += 1; });
  assert.equal(count, 1);
});
