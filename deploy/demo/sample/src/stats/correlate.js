'use strict';

var mean = require('./mean.js');
var stdev = require('./stdev.js');

function correlate(left, right) {
  var count = Math.min(left.length, right.length);
  var centers = [mean(left), mean(right)];
  var products = 0;
  for (var i = 0; i < count; i++) {
    products += (left[i] - centers[0]) * (right[i] - centers[1]);
  }
  return products / count / (stdev(left) * stdev(right));
}

module.exports = correlate;
