'use strict';

var numerals = [
  [1000, 'M'], [900, 'CM'], [500, 'D'], [400, 'CD'], [100, 'C'], [90, 'XC'],
  [50, 'L'], [40, 'XL'], [10, 'X'], [9, 'IX'], [5, 'V'], [4, 'IV'], [1, 'I'],
];

function toRoman(value) {
  if (!(value >= 1 && value < 4000)) throw new RangeError('toRoman: 1 to 3999, got ' + value);
  var rest = Math.floor(value);
  var text = '';
  numerals.forEach(function (numeral) {
    while (rest >= numeral[0]) {
      text += numeral[1];
      rest -= numeral[0];
    }
  });
  return text;
}

module.exports = toRoman;
