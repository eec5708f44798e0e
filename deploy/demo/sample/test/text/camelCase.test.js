'use strict';

const assert = require('node:assert/strict');
const test = require('node:test');
const camelCase = require('../../src/text/camelCase.js');

test('joins words with inner capitals', () => {
  assert.equal(camelCase('background color'), 'backgroundColor');
  assert.equal(camelCase('--data-user_id'), 'dataUserId');
});

test('turns upper case down', () => {
  assert.equal(camelCase('HTTP_STATUS'), 'httpStatus');
});

test('gives empty text for no words', () => {
  assert.equal(camelCase('?!'), '');
});
