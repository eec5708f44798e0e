'use strict';

function initials(name, count) {
  var most = count === undefined ? 2 : count;
  var parts = name.trim().split(/[\s-]+/).filter(Boolean);
  var letters = parts.map(function (part) { return part.charAt(0).toUpperCase(); });
  return letters.slice(0, most).join('');
}

module.exports = initials;
