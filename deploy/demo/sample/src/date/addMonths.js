'use strict';

var monthDays = require('./monthDays.js');

function addMonths(date, count) {
  var months = date.getUTCFullYear() * 12 + date.getUTCMonth() + count;
  var year = Math.floor(months / 12);
  var month = months - year * 12;
  var day = Math.min(date.getUTCDate(), monthDays(year, month + 1));
  var result = new Date(date.getTime());
  result.setUTCFullYear(year, month, day);
  return result;
}

module.exports = addMonths;
