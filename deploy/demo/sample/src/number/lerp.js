'use strict';

function lerp(from, to, share) {
  var distance = to - from;
  var value = from + distance * share;
  // Exact at the end, whatever the rounding of the product.
  return share === 1 ? to : value;
}

module.exports = lerp;
