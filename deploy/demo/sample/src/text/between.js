'use strict';

function between(text, open, close) {
  var found = [];
  var from = text.indexOf(open);
  while (from !== -1) {
    var end = text.indexOf(close, from + open.length);
    if (end === -1) break;
    found.push(text.slice(from + open.length, end));
    from = text.indexOf(open, end + close.length);
  }
  return found;
}

module.exports = between;
