'use strict';

function getPath(source, path, fallback) {
  var steps = Array.isArray(path) ? path : path.split('.');
  var value = source;
  for (var i = 0; i < steps.length; i++) {
    if (value === null || value === undefined) return fallback;
    value = value[steps[i]];
  }
  return value === undefined ? fallback : value;
}

module.exports = getPath;
