'use strict';

const assert = require('node:assert/strict');
const test = require('node:test');
const bytes = require('../../src/format/bytes.js');

test('uses the largest unit that fits', () => {
  assert.equal(bytes(1536), '1.5 KiB');
  assert.equal(bytes(5 * 1024 * 1024), '5 MiB');
});

test('writes small counts as they are', () => {
  assert.equal(bytes(0), '0 B');
  assert.equal(bytes(1023), '1023 B');
});

test('ends with its last unit', () => {
  assert.equal(bytes(Math.pow(1024, 5) * 3), '3072 TiB');
});
