'use strict';

function factors(value) {
  var rest = value;
  var found = [];
  for (var divisor = 2; divisor * divisor <= rest; divisor++) {
    while (rest % divisor === 0) {
      found.push(divisor);
      rest = rest / divisor;
    }
  }
  if (rest > 1) found.push(rest);
  return found;
}

module.exports = factors;
