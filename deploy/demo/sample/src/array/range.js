'use strict';

function range(start, end, step) {
  var by = step === undefined ? 1 : step;
  if (by === 0) throw new RangeError('range: step must not be 0');
  var length = Math.max(0, Math.ceil((end - start) / by));
  var numbers = [];
  for (var i = 0; i < length; i++) numbers.push(start + i * by);
  return numbers;
}

module.exports = range;
