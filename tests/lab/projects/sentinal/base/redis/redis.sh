#!/bin/sh
# Starts Redis under the name by which the others know it, as a replica of another when one is named. The configuration is
# in the container: Sentinel rewrites it after a failover, and a restart keeps what it wrote.
set -eu
name=$1
master=${2:-}
file=/etc/redis/sentinal.conf
if [ ! -f "$file" ]; then
    umask 077
    {
        sed "s/@PASSWORD@/$REDIS_PASSWORD/; s/@NAME@/$name/" /etc/sentinal/redis.conf
        [ -z "$master" ] || echo "replicaof $master 6379"
    } >"$file"
fi
exec redis-server "$file"
