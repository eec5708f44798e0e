'use strict';

var alphabet = '0123456789abcdefghijklmnopqrstuvwxyz';

function toBase(value, base) {
  if (base < 2 || base > alphabet.length) throw new RangeError('toBase: base must be 2 to 36');
  var rest = Math.abs(Math.trunc(value));
  var text = '';
  do {
    text = alphabet[rest % base] + text;
    rest = Math.floor(rest / base);
  } while (rest > 0);
  return value < 0 ? '-' + text : text;
}

module.exports = toBase;
