'use strict';

const assert = require('node:assert/strict');
const test = require('node:test');
const luminance = require('../../src/color/luminance.js');

test('goes from zero to one', () => {
  assert.equal(luminance({ r: 0, g: 0, b: 0 }), 0);
  assert.ok(Math.abs(luminance({ r: 255, g: 255, b: 255 }) - 1) < 1e-12);
});

test('finds green brighter than red, and red than blue', () => {
  const [r, g, b] = ['r', 'g', 'b'].map((part) => luminance({ r: 0, g: 0, b: 0, [part]: 255 }));
  assert.ok(g > r && r > b);
});

test('is not linear in the parts', () => {
  assert.ok(luminance({ r: 128, g: 128, b: 128 }) < 0.25);
});
