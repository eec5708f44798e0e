'use strict';

function distance(left, right) {
  var previous = [];
  for (var k = 0; k <= right.length; k++) previous.push(k);
  for (var i = 1; i <= left.length; i++) {
    var current = [i];
    for (var j = 1; j <= right.length; j++) {
      var cost = left[i - 1] === right[j - 1] ? 0 : 1;
      current.push(Math.min(previous[j] + 1, current[j - 1] + 1, previous[j - 1] + cost));
    }
    previous = current;
  }
  return previous[right.length];
}

module.exports = distance;
