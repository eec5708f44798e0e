'use strict';

function wrap(text, width) {
  var lines = [];
  var line = '';
  text.split(/\s+/).forEach(function (word) {
    if (line !== '' && line.length + 1 + word.length > width) {
      lines.push(line);
      line = word;
    } else {
      line = line === '' ? word : line + ' ' + word;
    }
  });
  if (line !== '') lines.push(line);
  return lines.join('\n');
}

module.exports = wrap;
