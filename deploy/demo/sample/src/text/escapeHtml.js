'use strict';

var entities = { '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;', "'": '&#39;' };

function escapeHtml(text) {
  var special = /[&<>"']/g;
  return String(text).replace(special, function (character) {
    return entities[character];
  });
}

module.exports = escapeHtml;
