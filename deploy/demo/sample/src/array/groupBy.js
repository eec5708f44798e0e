'use strict';

function groupBy(list, keyOf) {
  var groups = new Map();
  for (var i = 0; i < list.length; i++) {
    var key = keyOf(list[i], i);
    var group = groups.get(key);
    if (group) group.push(list[i]);
    else groups.set(key, [list[i]]);
  }
  return groups;
}

module.exports = groupBy;
