'use strict';

function permute(values) {
  if (values.length <= 1) return [values.slice()];
  var all = [];
  values.forEach(function (value, index) {
    var others = values.slice(0, index).concat(values.slice(index + 1));
    permute(others).forEach(function (order) {
      all.push([value].concat(order));
    });
  });
  return all;
}

module.exports = permute;
