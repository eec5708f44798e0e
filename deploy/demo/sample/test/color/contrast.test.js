'use strict';

const assert = require('node:assert/strict');
const test = require('node:test');
const contrast = require('../../src/color/contrast.js');

const black = { r: 0, g: 0, b: 0 };
const white = { r: 255, g: 255, b: 255 };

test('is 21 between black and white', () => {
  assert.ok(Math.abs(contrast(black, white) - 21) < 1e-9);
});

test('is one between equal colors', () => {
  assert.equal(contrast(black, black), 1);
});

test('does not mind the order', () => {
  const blue = { r: 0, g: 0, b: 255 };
  assert.equal(contrast(blue, white), contrast(white, blue));
});
