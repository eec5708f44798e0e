'use strict';

const assert = require('node:assert/strict');
const test = require('node:test');
const toRoman = require('../../src/number/toRoman.js');

test('writes Roman numerals', () => {
  assert.equal(toRoman(2026), 'MMXXVI');
  assert.equal(toRoman(1994), 'MCMXCIV');
});

test('knows the smallest and the largest', () => {
  assert.equal(toRoman(1), 'I');
  assert.equal(toRoman(3999), 'MMMCMXCIX');
});

test('refuses what has no numeral', () => {
  assert.throws(() => toRoman(0), RangeError);
  assert.throws(() => toRoman(4000), RangeError);
});
