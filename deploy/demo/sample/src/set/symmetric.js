'use strict';

var difference = require('./difference.js');
var union = require('./union.js');

function symmetric(left, right) {
  var onlyLeft = difference(left, right);
  var onlyRight = difference(right, left);
  return union(onlyLeft, onlyRight);
}

module.exports = symmetric;
