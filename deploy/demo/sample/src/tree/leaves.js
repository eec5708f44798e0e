'use strict';

var walk = require('./walk.js');

function leaves(root) {
  var found = [];
  walk(root, function (node) {
    var isLeaf = !node.children || node.children.length === 0;
    if (isLeaf) found.push(node);
  });
  return found;
}

module.exports = leaves;
