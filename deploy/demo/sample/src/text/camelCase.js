'use strict';

var capitalize = require('./capitalize.js');
var words = require('./words.js');

function camelCase(text) {
  var parts = words(text);
  return parts
    .map(function (part, index) {
      return index === 0 ? part.toLowerCase() : capitalize(part, true);
    })
    .join('');
}

module.exports = camelCase;
