'use strict';

function mapKeys(source, rename) {
  var renamed = {};
  var keys = Object.keys(source);
  for (var i = 0; i < keys.length; i++) {
    renamed[rename(keys[i], source[keys[i]])] = source[keys[i]];
  }
  return renamed;
}

module.exports = mapKeys;
