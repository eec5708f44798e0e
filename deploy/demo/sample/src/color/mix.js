'use strict';

function mix(left, right, share) {
  var weight = share === undefined ? 0.5 : share;
  var mixed = {};
  ['r', 'g', 'b'].forEach(function (part) {
    mixed[part] = Math.round(left[part] * (1 - weight) + right[part] * weight);
  });
  return mixed;
}

module.exports = mix;
