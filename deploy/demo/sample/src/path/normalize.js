'use strict';

function normalize(path) {
  var isRooted = path.charAt(0) === '/';
  var kept = [];
  path.split('/').forEach(function (step) {
    if (step === '' || step === '.') return;
    var last = kept[kept.length - 1];
    if (step !== '..') kept.push(step);
    else if (last !== undefined && last !== '..') kept.pop();
    else if (!isRooted) kept.push(step);
  });
  var joined = (isRooted ? '/' : '') + kept.join('/');
  return joined === '' ? '.' : joined;
}

module.exports = normalize;
