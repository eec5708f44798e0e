'use strict';

function unzip(rows) {
  var width = rows.reduce(function (most, row) { return Math.max(most, row.length); }, 0);
  var columns = [];
  for (var i = 0; i < width; i++) {
    columns.push([]);
  }
  rows.forEach(function (row) {
    for (var j = 0; j < width; j++) columns[j].push(row[j]);
  });
  return columns;
}

module.exports = unzip;
