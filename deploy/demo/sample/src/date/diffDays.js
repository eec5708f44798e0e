'use strict';

function diffDays(from, to) {
  var dayMs = 24 * 60 * 60 * 1000;
  var first = Date.UTC(from.getUTCFullYear(), from.getUTCMonth(), from.getUTCDate());
  var last = Date.UTC(to.getUTCFullYear(), to.getUTCMonth(), to.getUTCDate());
  return Math.round((last - first) / dayMs);
}

module.exports = diffDays;
