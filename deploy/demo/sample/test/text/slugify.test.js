'use strict';

const assert = require('node:assert/strict');
const test = require('node:test');
const slugify = require('../../src/text/slugify.js');

test('makes text fit for a URL', () => {
  assert.equal(slugify('Hello, World!'), 'hello-world');
});

test('drops accents', () => {
  assert.equal(slugify('Crème brûlée à la carte'), 'creme-brulee-a-la-carte');
});

test('takes another separator and text without letters', () => {
  assert.equal(slugify('a b', '_'), 'a_b');
  assert.equal(slugify('…'), '');
});
