'use strict';

var mean = require('./mean.js');

function variance(values, isSample) {
  var center = mean(values);
  var squares = values.reduce(function (total, value) {
    var off = value - center;
    return total + off * off;
  }, 0);
  return squares / (values.length - (isSample ? 1 : 0));
}

module.exports = variance;
