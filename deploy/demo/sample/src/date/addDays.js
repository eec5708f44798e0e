'use strict';

function addDays(date, count) {
  var result = new Date(date.getTime());
  var day = result.getUTCDate() + count;
  result.setUTCDate(day);
  return result;
}

module.exports = addDays;
