'use strict';

function hexToRgb(hex) {
  var match = /^#?([0-9a-f]{3}|[0-9a-f]{6})$/i.exec(hex);
  if (match === null) throw new TypeError('hexToRgb: not a color: ' + hex);
  var digits = match[1];
  var full = digits.length === 3 ? digits.replace(/./g, '$&$&') : digits;
  var value = parseInt(full, 16);
  return { r: value >> 16, g: (value >> 8) & 255, b: value & 255 };
}

module.exports = hexToRgb;
