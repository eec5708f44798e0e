'use strict';

var unitMs = { ms: 1, s: 1000, m: 60000, h: 3600000, d: 86400000 };

function duration(text) {
  var pattern = /(\d+(?:\.\d+)?)(ms|s|m|h|d)/g;
  var rest = text.replace(pattern, '').trim();
  var total = 0;
  if (rest !== '' || text.trim() === '') throw new TypeError('duration: cannot read "' + text + '"');
  for (var match = pattern.exec(text); match !== null; match = pattern.exec(text)) {
    total += Number(match[1]) * unitMs[match[2]];
  }
  return total;
}

module.exports = duration;
