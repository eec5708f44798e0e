'use strict';

const assert = require('node:assert/strict');
const test = require('node:test');
const initials = require('../../src/text/initials.js');

test('takes the first letters of a name', () => {
  assert.equal(initials('ada lovelace'), 'AL');
  assert.equal(initials('Jean-Luc Picard', 3), 'JLP');
});

test('takes at most as many as asked', () => {
  assert.equal(initials('a b c d'), 'AB');
});

test('takes one name and blank text', () => {
  assert.equal(initials('Plato'), 'P');
  assert.equal(initials('   '), '');
});
