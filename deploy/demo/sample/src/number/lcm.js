'use strict';

var gcd = require('./gcd.js');

function lcm(left, right) {
  if (left === 0 || right === 0) return 0;
  var divisor = gcd(left, right);
  var multiple = (left / divisor) * right;
  return Math.abs(multiple);
}

module.exports = lcm;
