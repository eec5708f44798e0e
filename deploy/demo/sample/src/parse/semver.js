'use strict';

function semver(text) {
  var match = /^v?(\d+)\.(\d+)\.(\d+)(?:-([0-9a-z.-]+))?(?:\+[0-9a-z.-]+)?$/i.exec(text);
  if (match === null) return null;
  var numbers = match.slice(1, 4).map(Number);
  var tags = match[4] === undefined ? [] : match[4].split('.');
  return { major: numbers[0], minor: numbers[1], patch: numbers[2], tags: tags };
}

module.exports = semver;
