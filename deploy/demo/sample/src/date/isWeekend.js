'use strict';

function isWeekend(date, restDays) {
  var days = restDays === undefined ? [0, 6] : restDays;
  var weekday = date.getUTCDay();
  return days.indexOf(weekday) !== -1;
}

module.exports = isWeekend;
