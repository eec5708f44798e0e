'use strict';

const assert = require('node:assert/strict');
const test = require('node:test');
const rgbToHex = require('../../src/color/rgbToHex.js');
const hexToRgb = require('../../src/color/hexToRgb.js');

test('writes six digits', () => {
  assert.equal(rgbToHex({ r: 255, g: 128, b: 0 }), '#ff8000');
  assert.equal(rgbToHex({ r: 0, g: 1, b: 15 }), '#00010f');
});

test('rounds and keeps within bounds', () => {
  assert.equal(rgbToHex({ r: 300, g: -5, b: 127.6 }), '#ff0080');
});

test('is the inverse of hexToRgb', () => {
  assert.equal(rgbToHex(hexToRgb('#c0ffee')), '#c0ffee');
});
