'use strict';

var monthDays = require('./monthDays.js');

function dayOfYear(date) {
  var year = date.getUTCFullYear();
  var day = date.getUTCDate();
  for (var month = 1; month <= date.getUTCMonth(); month++) {
    day += monthDays(year, month);
  }
  return day;
}

module.exports = dayOfYear;
