'use strict';

function flatten(list, depth) {
  var levels = depth === undefined ? Infinity : depth;
  var out = [];
  for (var i = 0; i < list.length; i++) {
    if (Array.isArray(list[i]) && levels > 0) {
      var inner = flatten(list[i], levels - 1);
      for (var j = 0; j < inner.length; j++) out.push(inner[j]);
    } else {
      out.push(list[i]);
    }
  }
  return out;
}

module.exports = flatten;
