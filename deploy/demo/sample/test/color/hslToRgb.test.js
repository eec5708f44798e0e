'use strict';

const assert = require('node:assert/strict');
const test = require('node:test');
const hslToRgb = require('../../src/color/hslToRgb.js');
const rgbToHsl = require('../../src/color/rgbToHsl.js');

test('knows some colors', () => {
  assert.deepEqual(hslToRgb({ h: 0, s: 1, l: 0.5 }), { r: 255, g: 0, b: 0 });
  assert.deepEqual(hslToRgb({ h: 180, s: 1, l: 0.25 }), { r: 0, g: 128, b: 128 });
});

test('is the inverse of rgbToHsl', () => {
  const color = { r: 12, g: 200, b: 99 };
  assert.deepEqual(hslToRgb(rgbToHsl(color)), color);
});

test('knows black and white', () => {
  assert.deepEqual(hslToRgb({ h: 77, s: 1, l: 0 }), { r: 0, g: 0, b: 0 });
  assert.deepEqual(hslToRgb({ h: 77, s: 1, l: 1 }), { r: 255, g: 255, b: 255 });
});
