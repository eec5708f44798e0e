'use strict';

function movingAvg(values, size) {
  var averages = [];
  var total = 0;
  for (var i = 0; i < values.length; i++) {
    total += values[i];
    if (i >= size) total -= values[i - size];
    if (i >= size - 1) averages.push(total / size);
  }
  return averages;
}

module.exports = movingAvg;
