'use strict';

const assert = require('node:assert/strict');
const test = require('node:test');
const semver = require('../../src/parse/semver.js');

test('reads the three numbers', () => {
  assert.deepEqual(semver('1.20.3'), { major: 1, minor: 20, patch: 3, tags: [] });
});

test('reads tags and ignores what belongs to a build', () => {
  assert.deepEqual(semver('v2.0.0-rc.1+abc').tags, ['rc', '1']);
});

test('gives null for everything else', () => {
  assert.equal(semver('1.2'), null);
  assert.equal(semver('1.2.x'), null);
  assert.equal(semver(''), null);
});
