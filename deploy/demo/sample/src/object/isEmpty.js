'use strict';

function isEmpty(value) {
  if (value === null || value === undefined) return true;
  var size = typeof value.size === 'number' ? value.size : value.length;
  if (typeof size === 'number') return size === 0;
  var keys = typeof value === 'object' ? Object.keys(value) : [value];
  return keys.length === 0;
}

module.exports = isEmpty;
