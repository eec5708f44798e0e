'use strict';

function invert(source) {
  var inverted = {};
  var keys = Object.keys(source);
  keys.forEach(function (key) {
    inverted[String(source[key])] = key;
  });
  return inverted;
}

module.exports = invert;
