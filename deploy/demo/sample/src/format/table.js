'use strict';

function table(rows) {
  var widths = [];
  rows.forEach(function (row) {
    row.forEach(function (cell, column) {
      widths[column] = Math.max(widths[column] || 0, String(cell).length);
    });
  });
  var lines = rows.map(function (row) {
    var cells = row.map(function (cell, column) { return String(cell).padEnd(widths[column]); });
    return cells.join('  ').trimEnd();
  });
  return lines.join('\n');
}

module.exports = table;
