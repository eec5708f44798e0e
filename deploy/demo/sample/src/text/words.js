'use strict';

function words(text) {
  var pattern = /[A-Z]+(?![a-z])|[A-Z]?[a-z]+|[0-9]+/g;
  var found = String(text).match(pattern);
  return found === null ? [] : found;
}

module.exports = words;
