'use strict';

function flags(words) {
  var options = {};
  var rest = [];
  for (var i = 0; i < words.length; i++) {
    var match = /^--(no-)?([^=]+)(?:=(.*))?$/.exec(words[i]);
    if (words[i] === '--') return { options: options, rest: rest.concat(words.slice(i + 1)) };
    if (match === null) rest.push(words[i]);
    else if (match[3] !== undefined) options[match[2]] = match[3];
    else options[match[2]] = match[1] === undefined;
  }
  return { options: options, rest: rest };
}

module.exports = flags;
