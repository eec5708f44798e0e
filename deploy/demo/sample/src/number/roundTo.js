'use strict';

function roundTo(value, places) {
  var digits = places === undefined ? 0 : places;
  // Moving the point in the text form avoids 1.005 * 100 = 100.49999999999999.
  var parts = String(value).split('e');
  var exponent = Number(parts[1] || 0);
  var shifted = Math.round(Number(parts[0] + 'e' + (exponent + digits)));
  return Number(shifted + 'e' + -digits);
}

module.exports = roundTo;
