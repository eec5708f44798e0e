'use strict';

function dirname(path) {
  var trimmed = path.length > 1 ? path.replace(/\/+$/, '') : path;
  var at = trimmed.lastIndexOf('/');
  if (at === -1) return '.';
  return at === 0 ? '/' : trimmed.slice(0, at);
}

module.exports = dirname;
