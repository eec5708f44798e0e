'use strict';

var basename = require('./basename.js');

function extname(path) {
  var name = basename(path);
  var at = name.lastIndexOf('.');
  return at <= 0 ? '' : name.slice(at);
}

module.exports = extname;
