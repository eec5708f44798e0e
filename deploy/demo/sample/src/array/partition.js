'use strict';

function partition(list, accepts) {
  var yes = [];
  var no = [];
  list.forEach(function (value, index) {
    var side = accepts(value, index) ? yes : no;
    side.push(value);
  });
  return [yes, no];
}

module.exports = partition;
