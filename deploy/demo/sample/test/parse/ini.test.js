'use strict';

const assert = require('node:assert/strict');
const test = require('node:test');
const ini = require('../../src/parse/ini.js');

test('reads sections and values', () => {
  assert.deepEqual(ini('[a]\nx = 1\n[b]\ny=two words'), { '': {}, a: { x: '1' }, b: { y: 'two words' } });
});

test('reads values before any section', () => {
  assert.equal(ini('top=1\r\n[a]')[''].top, '1');
});

test('skips comments and joins a section that comes twice', () => {
  assert.deepEqual(ini('; no\n[a]\n# x=0\nx=1\n[b]\n[a]\ny=2').a, { x: '1', y: '2' });
});
