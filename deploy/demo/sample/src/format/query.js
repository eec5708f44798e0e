'use strict';

function query(values) {
  var pairs = [];
  Object.keys(values).sort().forEach(function (name) {
    var all = Array.isArray(values[name]) ? values[name] : [values[name]];
    all.forEach(function (value) {
      if (value === undefined || value === null) return;
      pairs.push(encodeURIComponent(name) + '=' + encodeURIComponent(value));
    });
  });
  return pairs.join('&');
}

module.exports = query;
