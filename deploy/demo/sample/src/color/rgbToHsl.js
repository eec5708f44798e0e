'use strict';

function rgbToHsl(color) {
  var parts = [color.r / 255, color.g / 255, color.b / 255];
  var high = Math.max.apply(null, parts);
  var low = Math.min.apply(null, parts);
  var range = high - low;
  var light = (high + low) / 2;
  if (range === 0) return { h: 0, s: 0, l: light };
  var which = parts.indexOf(high);
  var turn = (parts[(which + 1) % 3] - parts[(which + 2) % 3]) / range + which * 2;
  var hue = ((turn * 60) + 360) % 360;
  return { h: hue, s: range / (1 - Math.abs(2 * light - 1)), l: light };
}

module.exports = rgbToHsl;
