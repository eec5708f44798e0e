'use strict';

function fromPaths(paths) {
  var root = { name: '', children: [] };
  paths.forEach(function (path) {
    var node = root;
    path.split('/').filter(Boolean).forEach(function (name) {
      var known = (node.children || []).find(function (child) { return child.name === name; });
      var child = known || { name: name };
      node.children = node.children || [];
      if (known === undefined) node.children.push(child);
      node = child;
    });
  });
  return root;
}

module.exports = fromPaths;
