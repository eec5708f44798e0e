'use strict';

var luminance = require('./luminance.js');

function contrast(front, back) {
  var values = [luminance(front), luminance(back)];
  var light = Math.max.apply(null, values) + 0.05;
  var dark = Math.min.apply(null, values) + 0.05;
  return light / dark;
}

module.exports = contrast;
