'use strict';

const assert = require('node:assert/strict');
const test = require('node:test');
const hexToRgb = require('../../src/color/hexToRgb.js');

test('reads six digits', () => {
  assert.deepEqual(hexToRgb('#ff8000'), { r: 255, g: 128, b: 0 });
});

test('reads three digits, with or without the sign', () => {
  assert.deepEqual(hexToRgb('0aF'), { r: 0, g: 170, b: 255 });
});

test('refuses everything else', () => {
  assert.throws(() => hexToRgb('#12345'), TypeError);
  assert.throws(() => hexToRgb('red'), /red/);
});
