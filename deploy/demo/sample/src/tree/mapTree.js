'use strict';

function mapTree(node, change) {
  var changed = Object.assign({}, change(node));
  var children = node.children;
  if (children !== undefined) {
    changed.children = children.map(function (child) { return mapTree(child, change); });
  }
  return changed;
}

module.exports = mapTree;
