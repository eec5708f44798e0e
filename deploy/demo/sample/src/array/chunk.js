'use strict';

function chunk(list, size) {
  if (!(size >= 1)) throw new RangeError('chunk: size must be at least 1, got ' + size);
  var width = Math.floor(size);
  var chunks = [];
  for (var start = 0; start < list.length; start += width) {
    chunks.push(list.slice(start, start + width));
  }
  return chunks;
}

module.exports = chunk;
