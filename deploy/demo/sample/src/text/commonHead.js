'use strict';

function commonHead(texts) {
  if (texts.length === 0) return '';
  var sorted = texts.slice().sort();
  var first = sorted[0];
  var last = sorted[sorted.length - 1];
  var length = 0;
  while (length < first.length && first[length] === last[length]) length++;
  return first.slice(0, length);
}

module.exports = commonHead;
