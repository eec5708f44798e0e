'use strict';

function isLeapYear(year) {
  var isFourth = year % 4 === 0;
  var isCentury = year % 100 === 0;
  return isFourth && (!isCentury || year % 400 === 0);
}

module.exports = isLeapYear;
