'use strict';

function histogram(values, bins) {
  var counts = new Array(bins).fill(0);
  var low = Math.min.apply(null, values);
  var high = Math.max.apply(null, values);
  var width = (high - low) / bins || 1;
  values.forEach(function (value) {
    var bin = Math.min(bins - 1, Math.floor((value - low) / width));
    counts[bin] += 1;
  });
  return counts;
}

module.exports = histogram;
