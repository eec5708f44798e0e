'use strict';

function sliding(list, size) {
  var windows = [];
  var last = list.length - size;
  for (var start = 0; start <= last && size > 0; start++) {
    windows.push(list.slice(start, start + size));
  }
  return windows;
}

module.exports = sliding;
