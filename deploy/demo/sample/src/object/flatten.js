'use strict';

function flatten(source, prefix) {
  var flat = {};
  Object.keys(source).forEach(function (key) {
    var path = prefix === undefined ? key : prefix + '.' + key;
    var value = source[key];
    var isBranch = typeof value === 'object' && value !== null && Object.keys(value).length > 0;
    if (isBranch) Object.assign(flat, flatten(value, path));
    else flat[path] = value;
  });
  return flat;
}

module.exports = flatten;
