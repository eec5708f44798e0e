'use strict';

var parts = [['d', 86400], ['h', 3600], ['m', 60], ['s', 1]];

function duration(seconds) {
  var rest = Math.round(seconds);
  var shown = [];
  parts.forEach(function (part) {
    var count = Math.floor(rest / part[1]);
    rest -= count * part[1];
    if (count > 0 && shown.length < 2) shown.push(count + part[0]);
  });
  return shown.length === 0 ? '0s' : shown.join('');
}

module.exports = duration;
