'use strict';

function union() {
  var all = new Set();
  for (var i = 0; i < arguments.length; i++) {
    arguments[i].forEach(function (value) { all.add(value); });
  }
  return all;
}

module.exports = union;
