'use strict';

var sum = require('./sum.js');

function mean(values) {
  var count = values.length;
  if (count === 0) return NaN;
  var total = sum(values);
  return total / count;
}

module.exports = mean;
