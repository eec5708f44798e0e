'use strict';

const assert = require('node:assert/strict');
const test = require('node:test');
const rgbToHsl = require('../../src/color/rgbToHsl.js');

test('knows the primary colors', () => {
  assert.deepEqual(rgbToHsl({ r: 255, g: 0, b: 0 }), { h: 0, s: 1, l: 0.5 });
  assert.deepEqual(rgbToHsl({ r: 0, g: 255, b: 0 }), { h: 120, s: 1, l: 0.5 });
  assert.deepEqual(rgbToHsl({ r: 0, g: 0, b: 255 }), { h: 240, s: 1, l: 0.5 });
});

test('gives grays no saturation', () => {
  assert.deepEqual(rgbToHsl({ r: 255, g: 255, b: 255 }), { h: 0, s: 0, l: 1 });
});

test('keeps hues positive', () => {
  assert.equal(rgbToHsl({ r: 255, g: 0, b: 255 }).h, 300);
});
