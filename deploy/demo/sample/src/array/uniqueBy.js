'use strict';

function uniqueBy(list, keyOf) {
  var seen = new Set();
  var unique = [];
  list.forEach(function (value) {
    var key = keyOf ? keyOf(value) : value;
    if (seen.has(key)) return;
    seen.add(key);
    unique.push(value);
  });
  return unique;
}

module.exports = uniqueBy;
