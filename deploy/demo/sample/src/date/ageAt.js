'use strict';

function ageAt(birth, now) {
  var years = now.getUTCFullYear() - birth.getUTCFullYear();
  var months = now.getUTCMonth() - birth.getUTCMonth();
  var isBeforeBirthday = months < 0 || (months === 0 && now.getUTCDate() < birth.getUTCDate());
  return isBeforeBirthday ? years - 1 : years;
}

module.exports = ageAt;
