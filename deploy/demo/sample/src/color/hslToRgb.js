'use strict';

function hslToRgb(color) {
  var chroma = color.s * Math.min(color.l, 1 - color.l);
  function part(offset) {
    var k = (offset + color.h / 30) % 12;
    var value = color.l - chroma * Math.max(-1, Math.min(k - 3, 9 - k, 1));
    return Math.round(value * 255);
  }
  return { r: part(0), g: part(8), b: part(4) };
}

module.exports = hslToRgb;
