'use strict';

function dropWhile(list, accepts) {
  var from = 0;
  while (from < list.length && accepts(list[from], from)) {
    from++;
  }
  var rest = list.slice(from);
  return rest;
}

module.exports = dropWhile;
