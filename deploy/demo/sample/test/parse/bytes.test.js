'use strict';

const assert = require('node:assert/strict');
const test = require('node:test');
const bytes = require('../../src/parse/bytes.js');

test('reads decimal units', () => {
  assert.equal(bytes('1.5 kB'), 1500);
  assert.equal(bytes('2M'), 2000000);
});

test('reads binary units', () => {
  assert.equal(bytes('1 KiB'), 1024);
  assert.equal(bytes('0.5GiB'), 536870912);
});

test('reads plain numbers and refuses the rest', () => {
  assert.equal(bytes('42'), 42);
  assert.throws(() => bytes('lots'), TypeError);
  assert.throws(() => bytes('-1k'), TypeError);
});
