'use strict';

const assert = require('node:assert/strict');
const test = require('node:test');
const escapeHtml = require('../../src/text/escapeHtml.js');

test('escapes what has a meaning in HTML', () => {
  assert.equal(escapeHtml('<a href="x">'), '&lt;a href=&quot;x&quot;&gt;');
  assert.equal(escapeHtml("Tom & Jerry's"), 'Tom &amp; Jerry&#39;s');
});

test('escapes twice when asked twice', () => {
  assert.equal(escapeHtml('&amp;'), '&amp;amp;');
});

test('turns other values into text', () => {
  assert.equal(escapeHtml(12), '12');
  assert.equal(escapeHtml(null), 'null');
});
