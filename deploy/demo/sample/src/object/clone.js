'use strict';

function clone(value, copies) {
  if (typeof value !== 'object' || value === null) return value;
  if (value instanceof Date) return new Date(value.getTime());
  var known = copies === undefined ? new Map() : copies;
  if (known.has(value)) return known.get(value);
  var copy = Array.isArray(value) ? [] : {};
  known.set(value, copy);
  Object.keys(value).forEach(function (key) {
    copy[key] = clone(value[key], known);
  });
  return copy;
}

module.exports = clone;
