'use strict';

function basename(path, ending) {
  var trimmed = path.replace(/\/+$/, '');
  var name = trimmed.slice(trimmed.lastIndexOf('/') + 1);
  var hasEnding = ending && name !== ending && name.endsWith(ending);
  return hasEnding ? name.slice(0, name.length - ending.length) : name;
}

module.exports = basename;
