'use strict';

function capitalize(text, restToLower) {
  if (text === '') return text;
  var first = text.charAt(0).toUpperCase();
  var rest = text.slice(1);
  return first + (restToLower ? rest.toLowerCase() : rest);
}

module.exports = capitalize;
