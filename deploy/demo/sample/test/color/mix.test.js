'use strict';

const assert = require('node:assert/strict');
const test = require('node:test');
const mix = require('../../src/color/mix.js');

const red = { r: 255, g: 0, b: 0 };
const blue = { r: 0, g: 0, b: 255 };

test('mixes halves by default', () => {
  assert.deepEqual(mix(red, blue), { r: 128, g: 0, b: 128 });
});

test('takes the share of the second color', () => {
  assert.deepEqual(mix(red, blue, 0.2), { r: 204, g: 0, b: 51 });
});

test('gives the colors themselves at the ends', () => {
  assert.deepEqual(mix(red, blue, 0), red);
  assert.deepEqual(mix(red, blue, 1), blue);
});
