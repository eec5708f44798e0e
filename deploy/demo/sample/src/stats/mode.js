'use strict';

function mode(values) {
  var counts = new Map();
  var most = 0;
  values.forEach(function (value) {
    var count = (counts.get(value) || 0) + 1;
    counts.set(value, count);
    most = Math.max(most, count);
  });
  return Array.from(counts.keys()).filter(function (value) { return counts.get(value) === most; });
}

module.exports = mode;
