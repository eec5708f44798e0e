'use strict';

var powers = { b: 0, k: 1, m: 2, g: 3, t: 4 };

function bytes(text) {
  var match = /^\s*(\d+(?:\.\d+)?)\s*([kmgt]?)(i?)b?\s*$/i.exec(text);
  if (match === null) throw new TypeError('bytes: cannot read "' + text + '"');
  var unit = match[2].toLowerCase() || 'b';
  var step = match[3] === '' ? 1000 : 1024;
  return Math.round(Number(match[1]) * Math.pow(step, powers[unit]));
}

module.exports = bytes;
