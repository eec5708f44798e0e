'use strict';

function rgbToHex(color) {
  var parts = [color.r, color.g, color.b];
  var hex = parts.map(function (part) {
    var value = Math.round(Math.min(255, Math.max(0, part)));
    return (value < 16 ? '0' : '') + value.toString(16);
  });
  return '#' + hex.join('');
}

module.exports = rgbToHex;
