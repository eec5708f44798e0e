'use strict';

function truncate(text, length, ending) {
  var tail = ending === undefined ? '…' : ending;
  if (text.length <= length) return text;
  var room = Math.max(0, length - tail.length);
  var cut = text.slice(0, room);
  return (cut + tail).slice(0, length);
}

module.exports = truncate;
