'use strict';

const assert = require('node:assert/strict');
const test = require('node:test');
const render = require('../../src/tree/render.js');

test('draws branches', () => {
  const tree = { name: 'a', children: [{ name: 'b', children: [{ name: 'c' }] }, { name: 'd' }] };
  assert.equal(render(tree), 'a\n├─ b\n│  └─ c\n└─ d');
});

test('draws nothing below the last branch', () => {
  const tree = { name: 'a', children: [{ name: 'b', children: [{ name: 'c' }] }] };
  assert.equal(render(tree), 'a\n└─ b\n   └─ c');
});

test('draws a single node', () => {
  assert.equal(render({ name: 'a' }), 'a');
});
