#!/bin/sh
# Puts configuration, access lists and the broker's certificate where mosquitto finds them:
#   install.sh FOLDER [NAME]
# FOLDER is the one that `h2o-edge keys authority` made, NAME the certificate of the broker in it (broker). Run it again after
# every renewal or revocation, then `systemctl reload mosquitto`. The private key of the authority stays where it is.
set -eu

here=$(dirname "$0")
certificates=${1:?"name the folder of the certificates, such as tls"}
broker=${2:-broker}
# Elsewhere for tests and containers.
target=${MOSQUITTO_FOLDER:-/etc/mosquitto}

for file in ca.pem crl.pem "$broker.pem" "$broker.key.pem"; do
  if [ ! -f "$certificates/$file" ]; then
    echo "install.sh: there is no $certificates/$file; make it with h2o-edge keys authority and keys issue broker" >&2
    exit 1
  fi
done

# mosquitto gives up root before it reads its files.
if [ "$(id -u)" = 0 ] && id mosquitto >/dev/null 2>&1; then
  owner="-o mosquitto -g mosquitto"
else
  owner=
fi

mkdir -p "$target/conf.d"
# shellcheck disable=SC2086 # two words or none
install -d -m 750 $owner "$target/h2o-edge"
for file in ca.pem crl.pem; do
  install -m 644 $owner "$certificates/$file" "$target/h2o-edge/$file"
done
install -m 644 $owner "$certificates/$broker.pem" "$target/h2o-edge/broker.pem"
install -m 600 $owner "$certificates/$broker.key.pem" "$target/h2o-edge/broker.key.pem"
install -m 600 $owner "$here/certificate.acl" "$here/anyone.acl" "$target/h2o-edge/"
for file in "$here"/*.conf; do
  sed "s#/etc/mosquitto#$target#g" "$file" >"$target/conf.d/$(basename "$file")"
done
echo "installed in $target; now: systemctl restart mosquitto"
