'use strict';

var variance = require('./variance.js');

function stdev(values, isSample) {
  var spread = variance(values, isSample);
  var deviation = Math.sqrt(spread);
  return deviation;
}

module.exports = stdev;
