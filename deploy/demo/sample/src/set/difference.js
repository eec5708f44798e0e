'use strict';

function difference(left, right) {
  var rest = new Set();
  var excluded = right instanceof Set ? right : new Set(right);
  left.forEach(function (value) {
    if (!excluded.has(value)) rest.add(value);
  });
  return rest;
}

module.exports = difference;
