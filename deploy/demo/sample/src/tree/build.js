'use strict';

function build(rows) {
  var nodes = new Map();
  var roots = [];
  rows.forEach(function (row) {
    nodes.set(row.id, Object.assign({}, row, { children: [] }));
  });
  nodes.forEach(function (node) {
    var parent = nodes.get(node.parent);
    if (parent === undefined) roots.push(node);
    else parent.children.push(node);
  });
  return roots;
}

module.exports = build;
