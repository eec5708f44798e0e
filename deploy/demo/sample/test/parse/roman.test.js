'use strict';

const assert = require('node:assert/strict');
const test = require('node:test');
const roman = require('../../src/parse/roman.js');
const toRoman = require('../../src/number/toRoman.js');

test('reads numerals', () => {
  assert.equal(roman('MCMXCIV'), 1994);
  assert.equal(roman('xii'), 12);
});

test('reads all that toRoman writes', () => {
  for (let value = 1; value < 4000; value += 37) assert.equal(roman(toRoman(value)), value);
});

test('refuses what is no numeral', () => {
  assert.throws(() => roman('IIII'), TypeError);
  assert.throws(() => roman('IC'), TypeError);
  assert.throws(() => roman(''), TypeError);
});
