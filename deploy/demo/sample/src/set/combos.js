'use strict';

function combos(values, size) {
  if (size === 0) return [[]];
  var found = [];
  for (var i = 0; i + size <= values.length; i++) {
    var rest = combos(values.slice(i + 1), size - 1);
    for (var j = 0; j < rest.length; j++) {
      found.push([values[i]].concat(rest[j]));
    }
  }
  return found;
}

module.exports = combos;
