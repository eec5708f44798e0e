'use strict';

function clamp(value, low, high) {
  var least = Math.min(low, high);
  var most = Math.max(low, high);
  if (value < least) return least;
  if (value > most) return most;
  return value;
}

module.exports = clamp;
