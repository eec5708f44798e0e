'use strict';

var normalize = require('./normalize.js');

function join() {
  var parts = Array.prototype.slice.call(arguments);
  var used = parts.filter(function (part) { return part !== ''; });
  return normalize(used.join('/'));
}

module.exports = join;
