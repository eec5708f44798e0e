'use strict';

function ini(text) {
  var sections = { '': {} };
  var current = '';
  text.split(/\r?\n/).forEach(function (raw) {
    var line = raw.replace(/^\s*[;#].*$/, '').trim();
    var header = /^\[(.*)\]$/.exec(line);
    var pair = /^([^=]+?)\s*=\s*(.*)$/.exec(line);
    if (header !== null) {
      current = header[1];
      sections[current] = sections[current] || {};
    } else if (pair !== null) {
      sections[current][pair[1]] = pair[2];
    }
  });
  return sections;
}

module.exports = ini;
