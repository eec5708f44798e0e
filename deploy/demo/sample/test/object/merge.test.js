'use strict';

const assert = require('node:assert/strict');
const test = require('node:test');
const merge = require('../../src/object/merge.js');

test('merges objects in objects', () => {
  assert.deepEqual(merge({ a: { x: 1 }, b: 1 }, { a: { y: 2 } }), { a: { x: 1, y: 2 }, b: 1 });
});

test('lets the right side win, lists as a whole', () => {
  assert.deepEqual(merge({ a: [1, 2], b: { c: 1 } }, { a: [3], b: null }), { a: [3], b: null });
});

test('cannot change the prototype of all objects', () => {
  merge({}, JSON.parse('{"__proto__": {"polluted": true}}'));
  assert.equal({}.polluted, undefined);
});
