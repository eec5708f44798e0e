'use strict';

const assert = require('node:assert/strict');
const test = require('node:test');
const flags = require('../../src/parse/flags.js');

test('reads flags with and without a value', () => {
  assert.deepEqual(flags(['--port=80', '--verbose']), { options: { port: '80', verbose: true }, rest: [] });
});

test('reads negated flags', () => {
  assert.deepEqual(flags(['--no-color']).options, { color: false });
});

test('gives back the other words, all of them after two hyphens', () => {
  assert.deepEqual(flags(['a', '--x', '--', '--y']), { options: { x: true }, rest: ['a', '--y'] });
});
