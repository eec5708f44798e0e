'use strict';

function quantile(values, share) {
  if (values.length === 0) return NaN;
  var sorted = values.slice().sort(function (a, b) { return a - b; });
  var position = (sorted.length - 1) * share;
  var below = Math.floor(position);
  var above = Math.ceil(position);
  return sorted[below] + (sorted[above] - sorted[below]) * (position - below);
}

module.exports = quantile;
