'use strict';

var words = require('./words.js');

function kebabCase(text) {
  var parts = words(text);
  var lower = parts.map(function (part) { return part.toLowerCase(); });
  return lower.join('-');
}

module.exports = kebabCase;
