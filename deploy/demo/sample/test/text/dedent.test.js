'use strict';

const assert = require('node:assert/strict');
const test = require('node:test');
const dedent = require('../../src/text/dedent.js');

test('removes the indentation that all lines share', () => {
  assert.equal(dedent('    a\n      b\n    c'), 'a\n  b\nc');
});

test('does not count blank lines', () => {
  assert.equal(dedent('  a\n\n \n  b'), 'a\n\n\nb');
});

test('takes text without indentation', () => {
  assert.equal(dedent('a\n b'), 'a\n b');
  assert.equal(dedent(''), '');
});
