'use strict';

function isSubset(part, whole) {
  if (part.size > whole.size) return false;
  var isInside = true;
  var values = Array.from(part);
  for (var i = 0; i < values.length && isInside; i++) {
    isInside = whole.has(values[i]);
  }
  return isInside;
}

module.exports = isSubset;
