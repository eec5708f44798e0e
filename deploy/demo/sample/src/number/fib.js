'use strict';

function fib(index) {
  if (!Number.isInteger(index) || index < 0) throw new RangeError('fib: not an index: ' + index);
  var current = 0;
  var next = 1;
  for (var i = 0; i < index; i++) {
    var sum = current + next;
    current = next;
    next = sum;
  }
  return current;
}

module.exports = fib;
