'use strict';

function sum(values) {
  var total = 0;
  var lost = 0;
  // Kahan's summation: what an addition loses is added to the next.
  for (var i = 0; i < values.length; i++) {
    var value = values[i] - lost;
    var next = total + value;
    lost = next - total - value;
    total = next;
  }
  return total;
}

module.exports = sum;
