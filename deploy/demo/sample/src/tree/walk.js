'use strict';

function walk(node, visit, depth) {
  var level = depth === undefined ? 0 : depth;
  var answer = visit(node, level);
  if (answer === false) return;
  var children = node.children || [];
  for (var i = 0; i < children.length; i++) {
    walk(children[i], visit, level + 1);
  }
}

module.exports = walk;
