'use strict';

function rotate(list, steps) {
  var length = list.length;
  if (length === 0) return [];
  // The remainder of a negative number is negative in JavaScript.
  var from = ((steps % length) + length) % length;
  var head = list.slice(0, from);
  return list.slice(from).concat(head);
}

module.exports = rotate;
