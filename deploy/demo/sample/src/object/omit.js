'use strict';

function omit(source, keys) {
  var dropped = new Set(keys);
  var rest = {};
  Object.keys(source).forEach(function (key) {
    if (!dropped.has(key)) rest[key] = source[key];
  });
  return rest;
}

module.exports = omit;
