'use strict';

const assert = require('node:assert/strict');
const test = require('node:test');
const csvLine = require('../../src/format/csvLine.js');
const parse = require('../../src/parse/csvLine.js');

test('joins cells', () => {
  assert.equal(csvLine(['a', 1, true]), 'a,1,true');
});

test('quotes only what needs it', () => {
  assert.equal(csvLine(['a,b', 'say "hi"', 'c']), '"a,b","say ""hi""",c');
  assert.equal(csvLine(['a,b', 'c'], ';'), 'a,b;c');
});

test('writes nothing for null, and is read back', () => {
  assert.equal(csvLine([null, undefined, 'x']), ',,x');
  assert.deepEqual(parse(csvLine(['"', ',', ''])), ['"', ',', '']);
});
