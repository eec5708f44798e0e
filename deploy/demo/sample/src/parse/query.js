'use strict';

function query(text) {
  var values = {};
  var body = text.replace(/^\?/, '');
  body.split('&').filter(Boolean).forEach(function (pair) {
    var at = pair.indexOf('=');
    var name = at === -1 ? pair : pair.slice(0, at);
    var raw = at === -1 ? '' : pair.slice(at + 1);
    values[decodeURIComponent(name)] = decodeURIComponent(raw.replace(/\+/g, ' '));
  });
  return values;
}

module.exports = query;
