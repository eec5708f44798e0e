'use strict';

function commas(value, separator) {
  var mark = separator === undefined ? ',' : separator;
  var parts = String(value).split('.');
  var whole = parts[0].replace(/\B(?=(\d{3})+$)/g, mark);
  return parts.length === 1 ? whole : whole + '.' + parts[1];
}

module.exports = commas;
