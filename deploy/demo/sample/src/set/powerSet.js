'use strict';

function powerSet(values) {
  var subsets = [[]];
  Array.from(values).forEach(function (value) {
    var grown = subsets.map(function (subset) { return subset.concat([value]); });
    subsets = subsets.concat(grown);
  });
  return subsets;
}

module.exports = powerSet;
