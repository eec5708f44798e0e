'use strict';

function zip() {
  var lists = Array.prototype.slice.call(arguments);
  if (lists.length === 0) return [];
  var length = Math.min.apply(null, lists.map(function (list) { return list.length; }));
  var rows = [];
  for (var i = 0; i < length; i++) {
    var row = [];
    for (var j = 0; j < lists.length; j++) row.push(lists[j][i]);
    rows.push(row);
  }
  return rows;
}

module.exports = zip;
