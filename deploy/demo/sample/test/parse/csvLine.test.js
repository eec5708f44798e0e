'use strict';

const assert = require('node:assert/strict');
const test = require('node:test');
const csvLine = require('../../src/parse/csvLine.js');

test('splits at commas', () => {
  assert.deepEqual(csvLine('a,b,,c'), ['a', 'b', '', 'c']);
});

test('reads quotes, with commas and quotes in them', () => {
  assert.deepEqual(csvLine('"a,b","say ""hi""",c'), ['a,b', 'say "hi"', 'c']);
});

test('takes another separator and an empty line', () => {
  assert.deepEqual(csvLine('a;b', ';'), ['a', 'b']);
  assert.deepEqual(csvLine(''), ['']);
});
