'use strict';

function render(node, prefix) {
  var lead = prefix === undefined ? '' : prefix;
  var children = node.children || [];
  var lines = prefix === undefined ? [node.name] : [];
  children.forEach(function (child, index) {
    var isLast = index === children.length - 1;
    lines.push(lead + (isLast ? '└─ ' : '├─ ') + child.name);
    var below = render(child, lead + (isLast ? '   ' : '│  '));
    if (below !== '') lines.push(below);
  });
  return lines.join('\n');
}

module.exports = render;
