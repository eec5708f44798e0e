'use strict';

function dedent(text) {
  var lines = text.split('\n');
  var depths = lines
    .filter(function (line) { return line.trim() !== ''; })
    .map(function (line) { return line.length - line.trimStart().length; });
  var depth = depths.length === 0 ? 0 : Math.min.apply(null, depths);
  return lines
    .map(function (line) { return line.trim() === '' ? '' : line.slice(depth); })
    .join('\n');
}

module.exports = dedent;
