'use strict';

function intersect(left, right) {
  var smaller = left.size <= right.size ? left : right;
  var larger = smaller === left ? right : left;
  var both = new Set();
  smaller.forEach(function (value) {
    if (larger.has(value)) both.add(value);
  });
  return both;
}

module.exports = intersect;
