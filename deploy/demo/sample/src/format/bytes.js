'use strict';

var units = ['B', 'KiB', 'MiB', 'GiB', 'TiB'];

function bytes(count) {
  var value = count;
  var unit = 0;
  while (value >= 1024 && unit < units.length - 1) {
    value = value / 1024;
    unit++;
  }
  var shown = unit === 0 || value >= 100 ? Math.round(value) : Number(value.toFixed(1));
  return shown + ' ' + units[unit];
}

module.exports = bytes;
