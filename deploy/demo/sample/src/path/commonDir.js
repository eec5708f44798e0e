'use strict';

var dirname = require('./dirname.js');

function commonDir(paths) {
  if (paths.length === 0) return '';
  var folders = paths.map(function (path) { return dirname(path).split('/'); });
  var shared = folders[0].slice();
  folders.forEach(function (steps) {
    var length = 0;
    while (length < shared.length && shared[length] === steps[length]) length++;
    shared = shared.slice(0, length);
  });
  return shared.join('/');
}

module.exports = commonDir;
