'use strict';

function digits(value, base) {
  var radix = base === undefined ? 10 : base;
  var rest = Math.floor(Math.abs(value));
  var list = [];
  do {
    list.unshift(rest % radix);
    rest = Math.floor(rest / radix);
  } while (rest > 0);
  return list;
}

module.exports = digits;
