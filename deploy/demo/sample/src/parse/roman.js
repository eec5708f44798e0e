'use strict';

var worth = { I: 1, V: 5, X: 10, L: 50, C: 100, D: 500, M: 1000 };

function roman(text) {
  if (!/^M{0,3}(CM|CD|D?C{0,3})(XC|XL|L?X{0,3})(IX|IV|V?I{0,3})$/i.test(text) || text === '') {
    throw new TypeError('roman: no numeral: "' + text + '"');
  }
  var values = Array.from(text.toUpperCase()).map(function (letter) { return worth[letter]; });
  var total = values.reduce(function (sum, value, index) {
    return value < (values[index + 1] || 0) ? sum - value : sum + value;
  }, 0);
  return total;
}

module.exports = roman;
