'use strict';

const assert = require('node:assert/strict');
const test = require('node:test');
const capitalize = require('../../src/text/capitalize.js');

test('makes the first letter upper case', () => {
  assert.equal(capitalize('hello World'), 'Hello World');
});

test('makes the rest lower case when asked', () => {
  assert.equal(capitalize('hELLO', true), 'Hello');
});

test('leaves empty text and digits as they are', () => {
  assert.equal(capitalize(''), '');
  assert.equal(capitalize('1st'), '1st');
});
