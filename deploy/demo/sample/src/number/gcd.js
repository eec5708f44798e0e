'use strict';

function gcd(left, right) {
  var a = Math.abs(left);
  var b = Math.abs(right);
  while (b !== 0) {
    var rest = a % b;
    a = b;
    b = rest;
  }
  return a;
}

module.exports = gcd;
