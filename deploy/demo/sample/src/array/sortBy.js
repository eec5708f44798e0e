'use strict';

function sortBy(list, keyOf) {
  var decorated = list.map(function (value, index) {
    return { value: value, key: keyOf(value), index: index };
  });
  decorated.sort(function (left, right) {
    if (left.key < right.key) return -1;
    if (left.key > right.key) return 1;
    return left.index - right.index;
  });
  var sorted = decorated.map(function (entry) { return entry.value; });
  return sorted;
}

module.exports = sortBy;
