'use strict';

var isLeapYear = require('./isLeapYear.js');

function monthDays(year, month) {
  if (!(month >= 1 && month <= 12)) throw new RangeError('monthDays: no month ' + month);
  var lengths = [31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];
  var extra = month === 2 && isLeapYear(year) ? 1 : 0;
  return lengths[month - 1] + extra;
}

module.exports = monthDays;
