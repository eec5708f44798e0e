'use strict';

function luminance(color) {
  var weights = { r: 0.2126, g: 0.7152, b: 0.0722 };
  return Object.keys(weights).reduce(function (total, part) {
    var share = color[part] / 255;
    var linear = share <= 0.03928 ? share / 12.92 : Math.pow((share + 0.055) / 1.055, 2.4);
    return total + weights[part] * linear;
  }, 0);
}

module.exports = luminance;
