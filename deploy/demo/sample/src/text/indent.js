'use strict';

function indent(text, count, unit) {
  var one = unit === undefined ? ' ' : unit;
  var prefix = one.repeat(count);
  return text.replace(/^(?=[^\n])/gm, prefix);
}

module.exports = indent;
