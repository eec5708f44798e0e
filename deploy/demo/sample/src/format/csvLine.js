'use strict';

function csvLine(cells, separator) {
  var mark = separator === undefined ? ',' : separator;
  var quoted = cells.map(function (cell) {
    var text = cell === null || cell === undefined ? '' : String(cell);
    var needsQuotes = text.indexOf(mark) !== -1 || /["\r\n]/.test(text);
    return needsQuotes ? '"' + text.replace(/"/g, '""') + '"' : text;
  });
  return quoted.join(mark);
}

module.exports = csvLine;
