'use strict';

function setPath(source, path, value) {
  var steps = path.split('.');
  var head = steps[0];
  var copy = Object.assign({}, source);
  if (steps.length === 1) {
    copy[head] = value;
  } else {
    copy[head] = setPath(copy[head], steps.slice(1).join('.'), value);
  }
  return copy;
}

module.exports = setPath;
