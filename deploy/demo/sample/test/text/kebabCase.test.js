'use strict';

const assert = require('node:assert/strict');
const test = require('node:test');
const kebabCase = require('../../src/text/kebabCase.js');

test('joins lower-case words with hyphens', () => {
  assert.equal(kebabCase('backgroundColor'), 'background-color');
  assert.equal(kebabCase('Hello, World!'), 'hello-world');
});

test('is idempotent', () => {
  assert.equal(kebabCase(kebabCase('One Two')), 'one-two');
});

test('gives empty text for no words', () => {
  assert.equal(kebabCase('***'), '');
});
