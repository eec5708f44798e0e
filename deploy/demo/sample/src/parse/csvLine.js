'use strict';

function csvLine(line, separator) {
  var mark = separator === undefined ? ',' : separator;
  var cells = [''];
  var isQuoted = false;
  for (var i = 0; i < line.length; i++) {
    var last = cells.length - 1;
    if (line[i] === '"' && isQuoted && line[i + 1] === '"') {
      cells[last] += '"';
      i++;
    } else if (line[i] === '"') isQuoted = !isQuoted;
    else if (line[i] === mark && !isQuoted) cells.push('');
    else cells[last] += line[i];
  }
  return cells;
}

module.exports = csvLine;
