'use strict';

var groupBy = require('./groupBy.js');

function countBy(list, keyOf) {
  var groups = groupBy(list, keyOf);
  var counts = {};
  groups.forEach(function (group, key) {
    counts[key] = group.length;
  });
  return counts;
}

module.exports = countBy;
