'use strict';

function isPlain(value) {
  return Object.prototype.toString.call(value) === '[object Object]';
}

function merge(left, right) {
  var merged = Object.assign({}, left);
  var keys = Object.keys(right).filter(function (key) { return key !== '__proto__'; });
  keys.forEach(function (key) {
    var both = isPlain(merged[key]) && isPlain(right[key]);
    merged[key] = both ? merge(merged[key], right[key]) : right[key];
  });
  return merged;
}

module.exports = merge;
