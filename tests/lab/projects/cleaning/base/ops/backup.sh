#!/usr/bin/env bash
# Dumps the database and says when it has: BACKUP_DIR/cleaning-TIME.sql.gz and BACKUP_DIR/LAST_SUCCESS.txt.
set -euo pipefail
cd "$(dirname "$0")/.."
dir=${BACKUP_DIR:-/opt/backups/postgres}
umask 077
mkdir -p "$dir"
file=$dir/cleaning-$(date -u +%Y%m%d-%H%M%S).sql.gz
trap 'rm -f -- "$file.part"' EXIT
docker compose exec -T db pg_dump -U postgres cleaning | gzip >"$file.part"
mv -- "$file.part" "$file"
printf '%s %s\n' "$(date -u +%Y-%m-%dT%H:%M:%SZ)" "${file##*/}" >"$dir/LAST_SUCCESS.txt"
echo "$file"
