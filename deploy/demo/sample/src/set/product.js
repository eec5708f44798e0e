'use strict';

function product(lists) {
  var rows = [[]];
  for (var i = 0; i < lists.length; i++) {
    var next = [];
    var values = lists[i];
    rows.forEach(function (row) {
      values.forEach(function (value) { next.push(row.concat([value])); });
    });
    rows = next;
  }
  return rows;
}

module.exports = product;
