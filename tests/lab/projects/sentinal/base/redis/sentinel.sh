#!/bin/sh
# Starts a sentinel. Its configuration is in the container: it rewrites it itself.
set -eu
file=/etc/redis/sentinel-sentinal.conf
if [ ! -f "$file" ]; then
    umask 077
    sed "s/@PASSWORD@/$REDIS_PASSWORD/; s/@NAME@/$1/" /etc/sentinal/sentinel.conf >"$file"
fi
exec redis-server "$file" --sentinel
