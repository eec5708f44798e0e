'use strict';

function find(node, accepts) {
  var queue = [node];
  while (queue.length > 0) {
    var next = queue.shift();
    if (accepts(next)) return next;
    queue = queue.concat(next.children || []);
  }
  return undefined;
}

module.exports = find;
