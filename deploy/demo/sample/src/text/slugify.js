'use strict';

function slugify(text, separator) {
  var joint = separator === undefined ? '-' : separator;
  var plain = String(text)
    .normalize('NFKD')
    .replace(/[\u0300-\u036f]/g, '')
    .toLowerCase();
  var parts = plain.match(/[a-z0-9]+/g) || [];
  return parts.join(joint);
}

module.exports = slugify;
