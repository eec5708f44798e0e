'use strict';

function list(items, word) {
  var joint = word === undefined ? 'and' : word;
  if (items.length <= 1) return items.join('');
  var head = items.slice(0, -1).join(', ');
  var last = items[items.length - 1];
  var comma = items.length > 2 ? ',' : '';
  return head + comma + ' ' + joint + ' ' + last;
}

module.exports = list;
