'use strict';

function compact(list) {
  var kept = [];
  for (var i = 0; i < list.length; i++) {
    var value = list[i];
    if (value || value === 0 || value === false) kept.push(value);
  }
  return kept;
}

module.exports = compact;
