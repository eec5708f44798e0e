'use strict';

const assert = require('node:assert/strict');
const test = require('node:test');
const flatten = require('../../src/object/flatten.js');

test('writes nested names as paths', () => {
  assert.deepEqual(flatten({ a: { b: { c: 1 } }, d: 2 }), { 'a.b.c': 1, d: 2 });
});

test('takes lists by index', () => {
  assert.deepEqual(flatten({ a: ['x', { y: 1 }] }), { 'a.0': 'x', 'a.1.y': 1 });
});

test('keeps empty objects and null as values', () => {
  assert.deepEqual(flatten({ a: {}, b: null, c: [] }), { a: {}, b: null, c: [] });
});
