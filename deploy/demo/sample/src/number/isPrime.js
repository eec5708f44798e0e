'use strict';

function isPrime(value) {
  if (!Number.isInteger(value) || value < 2) return false;
  if (value % 2 === 0) return value === 2;
  var limit = Math.floor(Math.sqrt(value));
  for (var divisor = 3; divisor <= limit; divisor += 2) {
    if (value % divisor === 0) return false;
  }
  return true;
}

module.exports = isPrime;
