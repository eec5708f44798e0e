'use strict';

var normalize = require('./normalize.js');

function relative(from, to) {
  var source = normalize(from).split('/').filter(Boolean);
  var target = normalize(to).split('/').filter(Boolean);
  var shared = 0;
  while (shared < source.length && source[shared] === target[shared]) shared++;
  var up = source.slice(shared).map(function () { return '..'; });
  return up.concat(target.slice(shared)).join('/');
}

module.exports = relative;
